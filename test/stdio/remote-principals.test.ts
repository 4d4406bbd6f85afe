import { describe, expect, test } from 'vitest';
import { startIngress } from '../ingress/an-ingress.ts';
import { startStdio, toolCall } from './a-stdio.ts';

const compat = '--compat=mcp-rust';
const get = toolCall('kv_get', { key: 'a' });

describe('--compat mcp-rust at an ingress elsewhere', { timeout: 60_000 }, () => {
  test('acts for whom the ingress says that the token stands', async () => {
    await using ingress = await startIngress();
    await using stdio = startStdio([compat, `--url=${ingress.mcp}`], {
      AGENT_MESH_TOKEN: ingress.key,
    });
    for (const caller of [{}, { tenant_id: 'acme', user_id: 'ann' }]) {
      stdio.send({ ...get, ...caller });
      expect((await stdio.next()).result).toEqual({ text: 'kv_get' });
    }
    stdio.send({ ...get, tenant_id: 'other', user_id: 'ann' });
    expect((await stdio.next()).error?.message).toBe('Tenant error: Tenant not found: other');
  });

  test('refuses a wrong token in the words of the original', async () => {
    await using ingress = await startIngress();
    await using stdio = startStdio([compat, `--url=${ingress.mcp}`], {
      AGENT_MESH_TOKEN: 'am_wrong',
    });
    stdio.send(get);
    expect((await stdio.next()).error).toMatchObject({ code: -32_002 });
  });
});
