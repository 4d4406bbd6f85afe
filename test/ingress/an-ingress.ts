/** A real ingress on free loopback ports, with this project's own ports filled in by the test. */
import { Agent, request } from 'node:http';
import {
  createIngress,
  type IngressOptions,
  type IngressPorts,
} from '../../services/ingress/ingress.ts';
import type { RequestRecord } from '../../services/ingress/http.ts';
import type { CancellationChannel } from '../../services/ingress/cancellations.ts';
import type { TenantId, UserId } from '../../shared/ids.ts';
import { hashApiKey, newApiKey } from '../../shared/tenants/api-keys.ts';
import { Tenant, User, type Principal } from '../../shared/tenants/tenant.ts';
import { createCatalog } from '../../shared/tools/catalog.ts';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { EventEmitter } from 'node:events';
import { createSessionModel } from '../identity/session-model.ts';

const modernVersion = '2026-07-28';

export function aPrincipal(
  tenant: string,
  user: Partial<{ id: string; role: 'Admin' | 'User' | 'Viewer' }> = {},
  status: 'active' | 'suspended' = 'active',
): Principal {
  return {
    tenant: Tenant.parse({ id: tenant, name: tenant, status }),
    user: User.parse({ id: 'ann', ...user }),
  };
}

/** A cluster-wide channel within one process; shared by the ingresses of one test. */
export function aChannel(): CancellationChannel & { readonly published: string[] } {
  const bus = new EventEmitter();
  const published: string[] = [];
  return {
    published,
    async publish(key) {
      published.push(key);
      bus.emit('cancel', key);
    },
    subscribe(listener) {
      bus.on('cancel', listener);
      return () => bus.off('cancel', listener);
    },
  };
}

/** Sessions of one cluster: signing keys that are there, and a store that all its ingresses share. */
export function someSessions(...fills: readonly number[]): IngressPorts['sessions'] {
  const keys = fills.map((fill) => ({ id: `key${fill}`, key: Buffer.alloc(32, fill) }));
  return {
    keys: {
      current: () => keys[0],
      find: async (id) => keys.find((key) => key.id === id),
    },
    store: createSessionModel({ idleMs: 60_000, noteMs: 1_000, now: Date.now }),
  };
}

/** Keys that a test hands to its ingresses, by principal. */
export function keyring() {
  const owners = new Map<string, Principal>();
  return {
    issue(principal: Principal): string {
      const key = newApiKey();
      owners.set(hashApiKey(key), principal);
      return key;
    },
    directory: {
      findKey: async (hash: string) => owners.get(hash),
      find: async (tenant: TenantId, user: UserId) =>
        [...owners.values()].find((owner) => owner.tenant.id === tenant && owner.user.id === user),
    },
  };
}

export const textResult = (text: string): string =>
  JSON.stringify({ content: [{ type: 'text', text }], structuredContent: { text } });

export async function startIngress(
  ports: Partial<IngressPorts> = {},
  options: Partial<IngressOptions> = {},
) {
  const keys = keyring();
  const key = keys.issue(aPrincipal('acme', { role: 'Admin' }));
  const records: RequestRecord[] = [];
  const problems: { what: string; cause: unknown }[] = [];
  const requests = new EventEmitter();
  const ingress = createIngress(
    {
      version: '9.9.9',
      auth: { mode: 'on' },
      host: '127.0.0.1',
      port: 0,
      allowedHosts: [],
      ...options,
    },
    {
      catalog: createCatalog({ diagnostics: true }),
      callTool: async ({ name }) => textResult(name),
      directory: keys.directory,
      cancellations: aChannel(),
      sessions: someSessions(7),
      onRequest(record) {
        records.push(record);
        requests.emit('record', record);
      },
      onProblem: (what, cause) => void problems.push({ what, cause }),
      ...ports,
    },
  );
  const mcp = await ingress.listen();
  const clients: { close(): Promise<void> }[] = [];
  return {
    mcp,
    ingress,
    key,
    keys,
    records,
    problems,
    requests,
    /** The v2 client; `auto` negotiates 2026-07-28, `legacy` speaks 2025-11-25. */
    async client(mode: 'auto' | 'legacy' = 'auto', token = key) {
      const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
      await client.connect(
        new StreamableHTTPClientTransport(new URL(mcp), { requestInit: bearer(token) }),
      );
      clients.push(client);
      return client;
    },
    /** The v1 package's client, as older programs have it. */
    async oldClient(token = key, url = mcp) {
      const client = new OldClient({ name: 'old', version: '1' });
      const transport = new OldTransport(new URL(url), { requestInit: bearer(token) });
      await client.connect(transport);
      clients.push(client);
      return { client, transport };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
      await ingress.drain(0);
    },
  };
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

const jsonHeaders = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

/** Posts a body as it stands. */
export function post(
  { mcp, key }: { mcp: string; key: string },
  body: string | object,
  headers: Record<string, string | undefined> = {},
  signal?: AbortSignal,
): Promise<Response> {
  const all = { authorization: `Bearer ${key}`, ...jsonHeaders, ...headers };
  const present = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] satisfies [string, string]],
  );
  return fetch(mcp, {
    method: 'POST',
    headers: present,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });
}

/** A request of the 2026-07-28 era with the headers that belong to it. */
export function modern(
  method: string,
  params: Record<string, unknown> = {},
  id: string | number = 1,
): { readonly body: object; readonly headers: Record<string, string> } {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': modernVersion,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    ...(params['_meta'] as object | undefined),
  };
  return {
    body: { jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } },
    headers: {
      'mcp-protocol-version': modernVersion,
      'mcp-method': method,
      ...(typeof params['name'] === 'string' && { 'mcp-name': params['name'] }),
    },
  };
}

export const legacyCall = (name: string, args: object = {}, id: string | number = 1) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});

/** What tests look at in a JSON-RPC answer. One of `result` and `error` is there. */
export interface Answer {
  readonly id: string | number | null;
  readonly result: {
    readonly content: readonly { readonly text: string }[];
    readonly cacheScope: string;
    readonly _meta: Readonly<Record<string, unknown>>;
  };
  readonly error: {
    readonly code: number;
    readonly message: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
}

/** The last JSON-RPC message of an answer, whether it came as JSON or as a stream. */
export async function messageOf(response: Response): Promise<Answer> {
  const text = await response.text();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
    return JSON.parse(text);
  const data = text.split('\n').filter((line) => line.startsWith('data: '));
  return JSON.parse((data.at(-1) ?? '').slice('data: '.length));
}

/** A request by Node's own client, which can choose its Host. */
export function rawRequest(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    const { method = 'GET', headers = {}, body } = options;
    const sent = request(url, { method, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.on('error', reject).end(body);
  });
}
