import { describe, expect, test } from 'vitest';
import { findFreePort } from '../../deploy/local/ports.ts';
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
    expect(stdio.stderr()).toMatch(/AGENT_MESH_TOKEN/);
  });

  test('answers, and says to its user, that the endpoint cannot be reached', async () => {
    await using stdio = startStdio([compat, `--url=http://127.0.0.1:${await findFreePort()}/mcp`]);
    stdio.send(get);
    expect((await stdio.next()).error).toMatchObject({ code: -32_603 });
    expect(stdio.stderr()).toMatch(/ECONNREFUSED/);
  });
});

describe('an endpoint that is none', { timeout: 60_000 }, () => {
  test.each(['nonsense', 'ftp://127.0.0.1/mcp'])('ends it with one clear line: %s', async (url) => {
    await using stdio = startStdio([`--url=${url}`]);
    expect(await stdio.ended).toBe(1);
    expect(stdio.stderr()).toMatch(/^error: --url, or AGENT_MESH_URL, is no URL .*\n$/);
  });

  test('that serves something else is named in the answer', async () => {
    await using ingress = await startIngress();
    const url = new URL('/other', ingress.mcp).href;
    await using stdio = startStdio([`--url=${url}`], { AGENT_MESH_TOKEN: ingress.key });
    const { error } = await stdio.ask('tools/list');
    expect(error?.message).toMatch(/404.*See AGENT_MESH_URL\.$/);
    expect(stdio.stderr()).toContain(error?.message);
  });
});
