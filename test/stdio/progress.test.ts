import { describe, expect, test } from 'vitest';
import { newInvocationId } from '../../shared/ids.ts';
import { startIngress, textResult } from '../ingress/an-ingress.ts';
import { startStdio } from './a-stdio.ts';

const steps = Array.from({ length: 14 }, (_, index) => index + 1);
const id = newInvocationId();
const initialize = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
};
const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

describe('progress over stdio', { timeout: 30_000 }, () => {
  test.each([
    ['2025-11-25', {}],
    ['2026-07-28', modernMeta],
  ])('reaches a client of %s step by step, before the answer', async (version, meta) => {
    await using ingress = await startIngress({
      callTool: async ({ onProgress }) => {
        for (const progress of steps) {
          onProgress?.({ id, status: 'progress', progress, total: steps.length });
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        return textResult('done');
      },
    });
    await using stdio = startStdio([`--url=${ingress.mcp}`], { AGENT_MESH_TOKEN: ingress.key });
    if (version === '2025-11-25') await stdio.ask('initialize', initialize);
    const params = {
      name: 'kv_get',
      arguments: { key: 'a' },
      _meta: { ...meta, progressToken: 'p' },
    };
    stdio.send({ jsonrpc: '2.0', id: 'call', method: 'tools/call', params });
    for (const progress of steps) {
      expect(await stdio.next()).toMatchObject({
        method: 'notifications/progress',
        params: { progressToken: 'p', progress },
      });
    }
    expect(await stdio.next()).toMatchObject({
      id: 'call',
      result: { structuredContent: { text: 'done' } },
    });
  });

  test('names with characters that no header can carry reach the ingress', async () => {
    await using ingress = await startIngress();
    await using stdio = startStdio([`--url=${ingress.mcp}`], { AGENT_MESH_TOKEN: ingress.key });
    const answer = await stdio.ask('tools/call', { name: 'größe', _meta: modernMeta });
    expect(answer.error).toMatchObject({ code: -32_602, message: 'Unknown tool: größe' });
  });
});
