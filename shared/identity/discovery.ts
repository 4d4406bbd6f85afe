/** Where an issuer publishes its keys: by its own word, or found by OIDC discovery and RFC 8414. */
import { z } from 'zod';
import { fetchJson } from './fetch-json.ts';
import { isLoopbackUrl, isSecureUrl, type Issuer } from './issuer.ts';

const Metadata = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** Rejects with the reason of the last place that was asked. */
export async function findKeysUrl({ issuer, jwksUri }: Issuer): Promise<string> {
  if (jwksUri !== undefined) return jwksUri;
  let reason: unknown;
  for (const place of metadataUrls(issuer)) {
    try {
      const metadata = Metadata.parse(await fetchJson(place));
      // Otherwise one issuer could pass its keys off as another's.
      if (metadata.issuer !== issuer) throw new Error(`${place} speaks for another issuer`);
      assertMayHoldKeys(metadata.jwks_uri, issuer);
      return metadata.jwks_uri;
    } catch (cause) {
      reason = cause;
    }
  }
  throw new Error(`No metadata of ${issuer}`, { cause: reason });
}

function metadataUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const urls = [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
  ];
  return [...new Set(urls)];
}

/** An issuer elsewhere must not point us at this machine. */
function assertMayHoldKeys(url: string, issuer: string): void {
  const safe = isSecureUrl(url) && (isLoopbackUrl(issuer) || !isLoopbackUrl(url));
  if (!safe) throw new Error(`${issuer} names a jwks_uri that is not https`);
}
