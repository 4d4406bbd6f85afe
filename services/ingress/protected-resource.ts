/**
 * What this resource tells OAuth clients of itself (RFC 9728): its own URL, and who issues tokens
 * for it. Open to everybody, and the same for every tenant.
 */
import type { Issuer } from '../../shared/identity/issuer.ts';

export interface ProtectedResource {
  /** What a challenge points at. */
  readonly metadataUrl: string;
  /** Where this ingress answers with the document. */
  readonly paths: readonly string[];
  /** JSON */
  readonly document: string;
}

const wellKnown = '/.well-known/oauth-protected-resource';

/** `url` is the MCP endpoint as clients know it. */
export function describeResource(url: string, issuers: readonly Issuer[]): ProtectedResource {
  const { origin, pathname } = new URL(url);
  const path = wellKnown + (pathname === '/' ? '' : pathname);
  const scopes = [...new Set(issuers.flatMap(({ requiredScope }) => requiredScope ?? []))];
  return {
    metadataUrl: origin + path,
    paths: [...new Set([wellKnown, `${wellKnown}/mcp`, path])],
    document: JSON.stringify({
      resource: url,
      authorization_servers: issuers.map(({ issuer }) => issuer),
      bearer_methods_supported: ['header'],
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      resource_name: 'agent-mesh',
    }),
  };
}
