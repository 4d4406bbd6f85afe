import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, post, type Endpoint } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { sumOverWorkers } from '../support/gauges.ts';
import { createKey } from '../support/keys.ts';
import { startCollector, type Collector, type Span } from './collector.ts';

const tenants = `
tenants:
  - id: acme
    limits: { concurrency: 4, requestsPerMinute: 1000 }
    users: [{ id: ann, role: Admin }]
  - id: narrow
    limits: { requestsPerMinute: 1, userRequestsPerMinute: 1 }
    users: [{ id: ann }]
`;

let collector: Collector;
let cluster: TestCluster;
let ann: Endpoint;
let narrow: Endpoint;
beforeAll(async () => {
  collector = await startCollector();
  cluster = await startTestCluster({
    workers: 2,
    diagnostics: true,
    tenants,
    environment: { ...collector.environment, WORKER_LEASE_MS: '1500' },
  });
  ann = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'ann') };
  narrow = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'narrow', 'ann') };
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await collector[Symbol.asyncDispose]();
});

interface ClientSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceparent: string;
}

function aClientSpan(flags = '01'): ClientSpan {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

const call = (
  endpoint: Endpoint,
  { traceparent }: ClientSpan,
  name: string,
  args: Readonly<Record<string, unknown>>,
) =>
  post(
    endpoint,
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name, arguments: args },
    }),
    { traceparent },
  );

const named = (spans: readonly Span[], name: string): Span[] =>
  spans.filter((span) => span.name === name);

/** Every span hangs on another one of the trace, up to the client's own. */
function expectConnected(spans: readonly Span[], client: ClientSpan): void {
  const known = new Set([client.spanId, ...spans.map(({ spanId }) => spanId)]);
  expect(spans.filter(({ parentSpanId }) => !known.has(parentSpanId))).toEqual([]);
}

const has =
  (...names: string[]) =>
  (spans: readonly Span[]): boolean =>
    names.every((name) => named(spans, name).length > 0);

describe('the trace of a call', () => {
  test('leads from the client through admission, queue, worker and AWS to the settlement', async () => {
    const client = aClientSpan();
    await call(ann, client, 'kv_set', { key: 'secret-key', value: 'secret-value' });
    const spans = await collector.trace(
      client.traceId,
      has('tools/call kv_set', 'admit', 'wait in queue', 'run kv_set', 'settle'),
    );

    expectConnected(spans, client);
    const [server] = named(spans, 'tools/call kv_set');
    expect(server).toMatchObject({
      service: 'agent-mesh-ingress',
      parentSpanId: client.spanId,
      attributes: {
        'mcp.method.name': 'tools/call',
        'gen_ai.tool.name': 'kv_set',
        'agent_mesh.tenant': 'acme',
        'agent_mesh.invocation': expect.stringMatching(/./),
      },
    });
    const [run] = named(spans, 'run kv_set');
    expect(run).toMatchObject({
      service: 'agent-mesh-worker',
      parentSpanId: server?.spanId,
      attributes: {
        'agent_mesh.invocation': server?.attributes['agent_mesh.invocation'],
        'agent_mesh.attempt': 1,
        'agent_mesh.queue_wait_ms': expect.any(Number),
      },
    });
    const aws = spans.filter(({ name }) => name.startsWith('DynamoDB/'));
    expect(aws.length).toBeGreaterThan(0);
    expect(aws.every(({ parentSpanId }) => parentSpanId === run?.spanId)).toBe(true);
  });

  test('is the one that _meta names, before the header', async () => {
    const client = aClientSpan();
    await callTool(ann, 'kv_get', { key: 'a' }, { traceparent: client.traceparent });
    const spans = await collector.trace(client.traceId, has('tools/call kv_get', 'settle'));
    expectConnected(spans, client);
  });

  test('ends with the fault of a refused call', async () => {
    await callTool(narrow, 'kv_get', { key: 'a' });
    const client = aClientSpan();
    await call(narrow, client, 'kv_get', { key: 'a' });
    const spans = await collector.trace(client.traceId, has('tools/call kv_get', 'admit'));
    expectConnected(spans, client);
    for (const span of spans) expect(span.attributes['error.type']).toBe('quota_exceeded');
    expect(has('run kv_get')(spans)).toBe(false);
  });

  test('tells of a request that never became a call', async () => {
    const unknown = aClientSpan();
    await call(ann, unknown, 'no_such_tool', {});
    const [span] = await collector.trace(unknown.traceId, has('tools/call'));
    expect(span?.attributes['error.type']).toBe('unknown_tool');

    const stranger = aClientSpan();
    await call({ mcp: cluster.mcp, apiKey: 'am_wrong' }, stranger, 'kv_get', { key: 'a' });
    const [refused] = await collector.trace(stranger.traceId, (spans) => spans.length > 0);
    expect(refused?.attributes['http.response.status_code']).toBe(401);
  });

  test('shows a cancellation on both sides of the queue', async () => {
    const client = aClientSpan();
    const gone = new AbortController();
    const calling = fetch(ann.mcp, {
      method: 'POST',
      signal: gone.signal,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'diagnostics_sleep',
        authorization: `Bearer ${ann.apiKey}`,
        traceparent: client.traceparent,
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name: 'diagnostics_sleep',
          arguments: { ms: 20_000 },
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    await expect.poll(() => sumOverWorkers(cluster, 'agent_mesh_worker_running')).toBe(1);
    gone.abort();
    await expect(calling).rejects.toThrow(/abort/);
    const spans = await collector.trace(
      client.traceId,
      has('tools/call diagnostics_sleep', 'run diagnostics_sleep', 'settle'),
    );
    expectConnected(spans, client);
    const codes = spans.map(({ name, attributes }) => [name, attributes['error.type']]);
    expect(codes).toContainEqual(['tools/call diagnostics_sleep', 'cancelled']);
    expect(codes).toContainEqual(['run diagnostics_sleep', 'cancelled']);
  });

  test('holds both attempts of a call whose worker was killed', async () => {
    const client = aClientSpan();
    const calling = call(ann, client, 'diagnostics_sleep', { ms: 2_000 });
    await expect.poll(() => sumOverWorkers(cluster, 'agent_mesh_worker_running')).toBe(1);
    const [first] = await collector.trace(client.traceId, has('wait in queue'));
    const attributes = first?.attributes ?? {};
    for (const worker of cluster.workers) {
      const text = await (await fetch(`${worker.ready.admin}/metrics`)).text();
      if (/^agent_mesh_worker_running 1$/m.test(text)) process.kill(worker.pid, 'SIGKILL');
    }
    expect((await calling).message?.result?.structuredContent).toEqual({ slept: 2_000 });
    const spans = await collector.trace(
      client.traceId,
      has('tools/call diagnostics_sleep', 'run diagnostics_sleep', 'settle'),
    );

    expectConnected(spans, client);
    const waits = named(spans, 'wait in queue').map((span) => span.attributes);
    expect(waits.map((wait) => wait['agent_mesh.attempt'])).toEqual([1, 2]);
    expect(waits[1]?.['agent_mesh.worker']).not.toBe(attributes['agent_mesh.worker']);
    expect(named(spans, 'run diagnostics_sleep')[0]?.attributes['agent_mesh.attempt']).toBe(2);
  }, 40_000);

  test('is not made for a client whose own trace is not recorded', async () => {
    const client = aClientSpan('00');
    await call(ann, client, 'kv_get', { key: 'a' });
    const after = aClientSpan();
    await call(ann, after, 'kv_get', { key: 'a' });
    await collector.trace(after.traceId, has('tools/call kv_get', 'settle'));
    expect(collector.spans.filter(({ traceId }) => traceId === client.traceId)).toEqual([]);
  });

  test('never holds an argument, a result or a key', () => {
    const everything = collector.sent.join('\n');
    expect(everything).not.toContain('secret-');
    expect(everything).not.toContain(ann.apiKey);
  });
});

test('metrics are sent over OTLP as they are scraped', async () => {
  await expect
    .poll(() => collector.metrics.join('\n'), { timeout: 10_000 })
    .toContain('agent_mesh_call_duration_seconds');
  expect(collector.metrics.join('\n')).not.toContain('acme');
});
