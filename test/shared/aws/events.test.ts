import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCalls, pointSdkAt, startLocalCloud } from './local-cloud.ts';
import { startScriptedCloud, type Answer, type ScriptedCloud } from './scripted-cloud.ts';

const json = { 'content-type': 'application/x-amz-json-1.1' };
const failed = (code: string): Answer => ({
  status: 200,
  headers: json,
  body: JSON.stringify({ FailedEntryCount: 1, Entries: [{ ErrorCode: code, ErrorMessage: 'x' }] }),
});

test('an event is taken by the local AWS', async () => {
  await using cloud = await startLocalCloud();
  await cloud.call().sendEvent('order.placed', { n: 1 });
});

describe('an event', () => {
  let cloud: ScriptedCloud;
  let calls: ReturnType<typeof createCalls>;
  beforeAll(async () => {
    cloud = await startScriptedCloud();
    pointSdkAt(cloud.url);
    calls = createCalls({ requestTimeoutMs: 150 });
  });
  afterAll(() => cloud[Symbol.asyncDispose]());
  const send = () =>
    calls.call().sendEvent('order.placed', { n: 1, tenant_id: 'globex', user_id: 'eve' });

  test('bears the tenant and user it came from, whatever its detail claims', async () => {
    cloud.answer(() => ({ status: 200, headers: json, body: '{"FailedEntryCount":0}' }));
    await send();
    const [entry] = JSON.parse(cloud.asked[0]?.body ?? '').Entries;
    expect(JSON.parse(entry.Detail)).toEqual({ n: 1, tenant_id: 'acme', user_id: 'ann' });
    expect(entry).toMatchObject({
      Source: 'agent-mesh',
      DetailType: 'order.placed',
      EventBusName: 'agent-mesh-events',
    });
  });

  test('that was throttled inside a 200 may be sent again, and the text says when', async () => {
    cloud.answer(() => failed('ThrottlingException'));
    await expect(send()).rejects.toMatchObject({
      code: 'tool_failed',
      retryAfterMs: 2_000,
      message: expect.stringMatching(/Retry in 2 s\.$/),
    });
  });

  test('that was refused inside a 200 is an error', async () => {
    cloud.answer(() => failed('MalformedDetail'));
    await expect(send()).rejects.toMatchObject({ code: 'internal' });
    cloud.answer(() => failed('NotAuthorizedForSourceException'));
    await expect(send()).rejects.toMatchObject({ code: 'tool_failed', retryAfterMs: undefined });
  });

  test.each([
    ['a 500', () => ({ status: 500, headers: json, body: '{"__type":"InternalException"}' })],
    ['silence', () => undefined],
    ['a broken connection', () => ({ status: 200, headers: json, body: '{', cut: true })],
  ])('is sent once and its outcome called unknown after %s', async (_, answer) => {
    cloud.answer(answer);
    await expect(send()).rejects.toMatchObject({ code: 'outcome_unknown' });
    expect(cloud.asked).toHaveLength(1);
  });

  test('that met nobody at all may be sent again', async () => {
    pointSdkAt('http://127.0.0.1:1');
    await expect(createCalls().call().sendEvent('x', {})).rejects.toMatchObject({
      code: 'tool_failed',
      retryAfterMs: 1_000,
    });
    pointSdkAt(cloud.url);
  });
});
