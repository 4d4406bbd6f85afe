/** Whatever comes in, an ingress answers below 500 and goes on. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { messageOf, modern, post, startIngress } from './an-ingress.ts';

const methods = fc.constantFrom(
  'tools/call',
  'tools/list',
  'resources/read',
  'resources/list',
  'prompts/get',
  'completion/complete',
  'tasks/get',
  'subscriptions/listen',
  'initialize',
  'ping',
  'notifications/cancelled',
  'server/discover',
);

const version = fc.constantFrom('2026-07-28', '2025-11-25', '2030-01-01', '');

const envelope = fc.record(
  {
    jsonrpc: fc.oneof(fc.constant('2.0'), fc.jsonValue()),
    id: fc.oneof(fc.integer(), fc.string(), fc.jsonValue()),
    method: fc.oneof(methods, fc.string(), fc.jsonValue()),
    params: fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          name: fc.oneof(fc.constantFrom('kv_get', 'kv_set', '__proto__'), fc.jsonValue()),
          arguments: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
          uri: fc.oneof(fc.constantFrom('mesh://kv/%', 'mesh://kv/a'), fc.jsonValue()),
          cursor: fc.jsonValue(),
          taskId: fc.jsonValue(),
          requestState: fc.jsonValue(),
          inputResponses: fc.jsonValue(),
          ref: fc.jsonValue(),
          argument: fc.jsonValue(),
          _meta: fc.oneof(
            fc.record(
              {
                'io.modelcontextprotocol/protocolVersion': fc.oneof(version, fc.jsonValue()),
                'io.modelcontextprotocol/clientCapabilities': fc.jsonValue(),
                'io.modelcontextprotocol/clientInfo': fc.jsonValue(),
                progressToken: fc.jsonValue(),
                traceparent: fc.jsonValue(),
                'agent-mesh/idempotencyKey': fc.jsonValue(),
              },
              { requiredKeys: [] },
            ),
            fc.jsonValue(),
          ),
        },
        { requiredKeys: [] },
      ),
    ),
    result: fc.jsonValue(),
    error: fc.jsonValue(),
  },
  { requiredKeys: [] },
);

const token = fc.string({
  unit: fc.constantFrom('a', 'Z', '0', '9', '-', '_', '/', '=', '?', '.', '%'),
  maxLength: 24,
});
const headers = fc.record(
  {
    'mcp-protocol-version': fc.oneof(version, token),
    'mcp-method': fc.oneof(methods, token),
    'mcp-name': fc.oneof(fc.constant('kv_get'), token),
    'mcp-session-id': token,
    'idempotency-key': token,
    'mcp-param-region': token,
  },
  { requiredKeys: [] },
);

test(
  'no envelope and no header brings an ingress down or to a 5xx',
  { timeout: 60_000 },
  async () => {
    await using mesh = await startIngress();
    const body = fc.oneof(
      envelope.map((message) => JSON.stringify(message)),
      fc.array(envelope, { maxLength: 3 }).map((batch) => JSON.stringify(batch)),
      fc.json(),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(body, headers, async (text, sent) => {
        // A stream that was asked for well stays open; its head is the answer.
        const leave = new AbortController();
        const response = await post(mesh, text, sent, leave.signal);
        expect(response.status).toBeLessThan(500);
        leave.abort();
      }),
      { numRuns: 1_500, endOnFailure: true },
    );
    const { body: list, headers: usual } = modern('tools/list');
    const alive = await messageOf(await post(mesh, list, usual));
    expect(alive.error).toBeUndefined();
  },
);
