/** Acting at an ingress elsewhere: for whom the token stands, and for nobody else. */
import type { Locate } from '../endpoint.ts';
import { isJson } from '../message.ts';
import { parsed } from '../failure.ts';
import type { Post } from '../post.ts';
import { internal, tenantNotFound, tenantUnauthorized } from './original-error.ts';
import type { Caller, Principals } from './principals.ts';

export interface RemotePrincipalsPorts {
  readonly locate: Locate;
  readonly post: Post;
}

const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'agent-mesh-stdio', version: '1' },
  },
});

export function createRemotePrincipals({ locate, post }: RemotePrincipalsPorts): Principals {
  let known: Promise<Caller> | undefined;

  /** An ingress tells whom a token stands for in the sessions that it opens. */
  async function ask(): Promise<Caller> {
    const endpoint = await locate();
    const signal = AbortSignal.timeout(10_000);
    const answer = await post({ endpoint, headers: {}, body: initialize, signal });
    for await (const _ of answer.messages);
    if (answer.status === 401 || answer.status === 403) throw tenantUnauthorized('unknown');
    const session = answer.headers['mcp-session-id'];
    const caller = typeof session === 'string' ? callerIn(session) : undefined;
    if (!caller) throw internal(`the endpoint did not say whom the token stands for`);
    const headers = { 'mcp-session-id': String(session) };
    await post({ endpoint, method: 'DELETE', headers, body: '', signal }).catch(() => undefined);
    return caller;
  }

  function own(): Promise<Caller> {
    known ??= ask().catch((cause: unknown) => {
      known = undefined;
      throw cause;
    });
    return known;
  }

  return {
    own,
    async endpointFor({ tenant, user }) {
      const caller = await own();
      if (tenant !== caller.tenant) throw tenantNotFound(tenant);
      if (user !== caller.user) throw tenantUnauthorized(tenant);
      return locate();
    },
    close: async () => undefined,
  };
}

function callerIn(session: string): Caller | undefined {
  const [payload = ''] = session.split('.');
  const claims = parsed(Buffer.from(payload, 'base64url').toString('utf8'));
  if (!isJson(claims)) return undefined;
  const { t: tenant, u: user } = claims;
  return typeof tenant === 'string' && typeof user === 'string' ? { tenant, user } : undefined;
}
