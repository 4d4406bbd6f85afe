/** Requests of a 2026-07-28 client that knows tasks, with nothing between test and wire. */
import { expect } from 'vitest';

const extension = 'io.modelcontextprotocol/tasks';
export interface Answer {
  readonly status: number;
  readonly result: Readonly<Record<string, unknown>> & { readonly taskId: string };
  readonly error: { readonly code: number; readonly message: string };
}

export async function send(
  url: string,
  key: string,
  method: string,
  params: Record<string, unknown>,
  declares = true,
): Promise<Answer> {
  const response = await request(url, key, method, params, declares);
  return { status: response.status, ...JSON.parse(await response.text()) };
}

function request(
  url: string,
  key: string,
  method: string,
  params: Record<string, unknown>,
  declares: boolean,
  signal?: AbortSignal,
): Promise<Response> {
  const extensions = declares ? { [extension]: {} } : {};
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, extensions },
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  };
  const name = params['name'] ?? params['taskId'];
  return fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
    ...(signal && { signal }),
  });
}

interface Message {
  readonly method?: string;
  readonly params?: {
    readonly taskId?: string;
    readonly status?: string;
    readonly notifications?: object;
  };
}

/** One stream that listens for tasks, read as it comes. */
export async function listenForTasks(url: string, key: string, taskIds: readonly string[]) {
  const leave = new AbortController();
  const notifications = { taskIds };
  const response = await request(
    url,
    key,
    'subscriptions/listen',
    { notifications },
    true,
    leave.signal,
  );
  let text = '';
  const ended = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  })().catch(() => undefined);
  await expect.poll(() => text).toContain('subscriptions/acknowledged');
  const messages = (): Message[] =>
    [...text.matchAll(/^data: (.*)$/gm)].map(([, json = '']) => JSON.parse(json));
  return {
    ended,
    text: () => text,
    acknowledged: () => messages()[0]?.params?.notifications,
    /** The states of a task, in order. */
    told: (taskId: string) =>
      messages().flatMap(({ method, params }) =>
        method === 'notifications/tasks' && params?.taskId === taskId ? [params.status] : [],
      ),
    leave: () => leave.abort(),
  };
}
