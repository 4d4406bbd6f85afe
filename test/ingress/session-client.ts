/** Ingresses that share a Redis, and 2025-era clients of theirs, with nothing between test and wire. */
import { Redis } from 'ioredis';
import { expect } from 'vitest';
import type { TenantDirectory } from '../../services/ingress/authenticate.ts';
import type { Ingress, IngressOptions, IngressPorts } from '../../services/ingress/ingress.ts';
import { createSessionStates, subscribeSessions } from '../../shared/sessions/session-states.ts';
import { createSessionStore } from '../../shared/sessions/session-store.ts';
import { hashApiKey, newApiKey } from '../../shared/tenants/api-keys.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';
import { startTestRedis } from '../support/redis.ts';
import { messageOf, post, someSessions, startIngress } from './an-ingress.ts';

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
};

export interface Endpoint {
  readonly mcp: string;
  readonly key: string;
}

/** Ingresses of one cluster, that share a Redis and a directory which changes under them. */
export async function startCluster(watchesPerTenant = 1_000) {
  const server = await startTestRedis();
  const commands = new Redis(server.url, { retryStrategy: () => null });
  const subscriptions = new Redis(server.url, { retryStrategy: () => null });
  const idleMs = 60_000;
  const store = createSessionStore(commands, { idleMs });
  const states = createSessionStates(commands, { idleMs, watchesPerTenant });
  const sessions: IngressPorts['sessions'] = { ...someSessions(7), store, states };
  const owners = new Map<string, Principal>();
  const directory: TenantDirectory = {
    findKey: async (hash) => owners.get(hash),
    find: async () => undefined,
  };
  const ingresses: Ingress[] = [];
  const started: AsyncDisposable[] = [];
  await subscribeSessions(subscriptions, (id) => ingresses.forEach((each) => each.onSession(id)));
  const cluster = {
    commands,
    store,
    change(key: string, principal: Principal | undefined) {
      if (principal) owners.set(hashApiKey(key), principal);
      else owners.delete(hashApiKey(key));
    },
    as(principal: Principal): string {
      const key = newApiKey();
      cluster.change(key, principal);
      return key;
    },
    async start(options: Partial<IngressOptions> = {}) {
      const mesh = await startIngress({ sessions, directory }, options);
      ingresses.push(mesh.ingress);
      started.push(mesh);
      return mesh;
    },
    /** As a worker does once it has written. */
    changed: (tenant: string, uri: string) =>
      ingresses.forEach((each) => each.onChange(tenant as never, { kind: 'resource', uri })),
    async [Symbol.asyncDispose]() {
      await Promise.all(started.map((each) => each[Symbol.asyncDispose]()));
      commands.disconnect();
      subscriptions.disconnect();
      await server[Symbol.asyncDispose]();
    },
  };
  return cluster;
}

export async function open(mesh: Endpoint): Promise<string> {
  return (await post(mesh, initialize)).headers.get('mcp-session-id') ?? '';
}

export async function ask(mesh: Endpoint, session: string, method: string, params: object) {
  const body = { jsonrpc: '2.0', id: 2, method, params };
  return messageOf(await post(mesh, body, { 'mcp-session-id': session }));
}

export const subscribe = (mesh: Endpoint, session: string, uri: string) =>
  ask(mesh, session, 'resources/subscribe', { uri });

export function get(
  mesh: Endpoint,
  session: string,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(mesh.mcp, {
    headers: {
      authorization: `Bearer ${mesh.key}`,
      accept: 'text/event-stream',
      'mcp-session-id': session,
      'mcp-protocol-version': '2025-11-25',
      ...headers,
    },
    ...(signal && { signal }),
  });
}

/** The stream of a session, read as it comes. */
export async function listen(
  mesh: Endpoint,
  session: string,
  headers: Record<string, string> = {},
) {
  const leave = new AbortController();
  const response = await get(mesh, session, headers, leave.signal);
  expect(response.status).toBe(200);
  let text = '';
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  })().catch(() => undefined);
  await expect.poll(() => text).toContain(': alive');
  return {
    ended,
    text: () => text,
    leave: () => leave.abort(),
    mark: () => /.*id: (\S+)/s.exec(text)?.[1] ?? '',
    heard: () =>
      [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json = '']) => {
        const { method, params } = JSON.parse(json);
        return params ? `${method} ${params.uri}` : method;
      }),
  };
}

/** Asks for a stream, and leaves it at once. */
export async function peek(mesh: Endpoint, session: string): Promise<Response> {
  const leave = new AbortController();
  const response = await get(mesh, session, {}, leave.signal);
  leave.abort();
  return response;
}
