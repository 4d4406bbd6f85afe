import { describe, expect, test } from 'vitest';
import { tools } from '../../../services/worker/tools.ts';
import { contracts, type ToolName } from '../../../shared/tools/catalog.ts';
import { runTool } from './run-tool.ts';

const wrong: readonly (readonly [ToolName, unknown, string])[] = [
  ['kv_get', {}, 'key'],
  ['kv_get', { key: '' }, 'key'],
  ['kv_get', { key: 'x'.repeat(901) }, 'key'],
  ['kv_get', { key: 'a/../b' }, 'key'],
  ['kv_get', { key: '\ud800' }, 'key'],
  ['kv_set', { key: 'k' }, 'value'],
  ['kv_set', { key: 'k', value: 'x'.repeat(410_000) }, 'value'],
  ['kv_set', { key: 'k', value: 'v', ttl_hours: -1 }, 'ttl_hours'],
  ['kv_set', { key: 'k', value: 'v', ttl_hours: 'soon' }, 'ttl_hours'],
  ['artifacts_get', { key: 7 }, 'key'],
  ['artifacts_put', { key: 'k', content: 'not base64!' }, 'content'],
  ['artifacts_put', { key: 'k', content: 'eA==', content_type: 'a\r\nb' }, 'content_type'],
  ['artifacts_list', { prefix: 7 }, 'prefix'],
  ['events_send', { detail: {} }, 'detailType'],
  ['events_send', { detailType: 'x', detail: [] }, 'detail'],
  ['events_send', { detailType: 'x', detail: { x: 'x'.repeat(262_144) } }, 'detail'],
  ['diagnostics_echo', {}, 'text'],
  ['diagnostics_sleep', { ms: -1 }, 'ms'],
];

describe('a tool', () => {
  test.each(wrong)(
    '%s refuses %j before anything else, naming the field',
    async (name, input, field) => {
      await expect(runTool(tools[name], input)).rejects.toMatchObject({
        code: 'invalid_arguments',
        message: expect.stringMatching(new RegExp(`→ at ${field}$`, 'm')),
      });
    },
  );

  test('refuses what is no object at all', async () => {
    for (const input of [undefined, null, 'x', []]) {
      await expect(runTool(tools.kv_get, input)).rejects.toMatchObject({
        code: 'invalid_arguments',
      });
    }
  });

  test('stands under the name of its contract', () => {
    for (const [name, tool] of Object.entries(tools)) expect(tool.contract.name).toBe(name);
    expect(Object.keys(tools)).toEqual(Object.keys(contracts));
  });
});
