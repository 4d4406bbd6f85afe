/** Acting at an ingress elsewhere: for whom the token stands, and for nobody else. */
import type { Endpoint, Locate } from '../endpoint.ts';
import { isJson } from '../message.ts';
import { parsed, toStatusError } from '../failure.ts';
import type { Post } from '../post.ts';
import { internal, tenantNotFound, tenantUnauthorized } from './original-error.ts';
import type { Caller, Principals } from './principals.ts';

export interface RemotePrincipalsPorts {
  readonly locate: Locate;
  readonly post: Post;
  readonly log: (text: string) => void;
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

export function createRemotePrincipals({ locate, post, log }: RemotePrincipalsPorts): Principals {
  let known: Promise<Caller> | undefined;

  /** An ingress tells it in its greeting. The session that comes with it is not needed. */
  async function ask(): Promise<Caller> {
    const endpoint = await locate();
    const signal = AbortSignal.timeout(10_000);
    const answer = await post({ endpoint, headers: {}, body: initialize, signal });
    let text = '';
    for await (const each of answer.messages) text = each;
    if (answer.status === 401 || answer.status === 403) {
      log(toStatusError(answer, text).message);
      throw tenantUnauthorized('unknown');
    }
    const caller = callerIn(text);
    if (answer.status >= 400) throw internal(toStatusError(answer, text).message);
    if (!caller) throw internal('the endpoint did not say whom the token stands for');
    await leave(endpoint, answer.headers['mcp-session-id']);
    return caller;
  }

  async function leave(endpoint: Endpoint, session: unknown): Promise<void> {
    if (typeof session !== 'string') return;
    const headers = { 'mcp-session-id': session };
    const signal = AbortSignal.timeout(10_000);
    await post({ endpoint, method: 'DELETE', headers, body: '', signal }).catch(() => undefined);
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

function callerIn(answer: string): Caller | undefined {
  const result = parsed(answer)?.['result'];
  const told = isJson(result) ? result['_meta'] : undefined;
  if (!isJson(told)) return undefined;
  const { 'agent-mesh/tenant': tenant, 'agent-mesh/user': user } = told;
  return typeof tenant === 'string' && typeof user === 'string' ? { tenant, user } : undefined;
}
