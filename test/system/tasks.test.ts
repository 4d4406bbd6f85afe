/** The tasks extension through real ingresses, queue and workers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';
import { send, type Answer } from '../support/task-client.ts';

const tenants = `
tenants:
  - id: other
    users: [{ id: bob, role: Admin }]
`;

async function untilEnded(url: string, key: string, taskId: string): Promise<Answer['result']> {
  for (;;) {
    const { result } = await send(url, key, 'tasks/get', { taskId });
    if (result['status'] !== 'working') return result;
    await sleep(50);
  }
}

test('a task is found at any ingress, and by its own user alone', { timeout: 60_000 }, async () => {
  await using cluster = await startTestCluster({
    ingresses: 2,
    diagnostics: true,
    conformance: true,
    tenants,
    environment: { TASK_AFTER_MS: '300' },
  });
  const [first, second] = cluster.ingresses.map(({ ready }) => ready.mcp);
  if (first === undefined || second === undefined) throw new Error('Two ingresses were asked for');
  const key = cluster.apiKey;
  const call = (ms: number, declares = true) =>
    send(first, key, 'tools/call', { name: 'diagnostics_sleep', arguments: { ms } }, declares);

  // Short calls stay calls; so do long ones of clients that know no tasks.
  expect((await call(1)).result['resultType']).toBe('complete');
  expect((await call(600, false)).result['resultType']).toBe('complete');

  const long = await call(900);
  expect(long.result).toMatchObject({ resultType: 'task', status: 'working' });
  const { taskId } = long.result;
  expect(await untilEnded(second, key, taskId)).toMatchObject({
    status: 'completed',
    result: { structuredContent: { slept: 900 } },
  });

  // An ingress that never heard of it, started after the fact, knows it as well.
  await cluster.ingresses[0]?.stop(10_000);
  expect((await send(second, key, 'tasks/get', { taskId })).result['status']).toBe('completed');

  // Somebody else's task is one that does not exist.
  const stranger = await createKey(cluster, 'other', 'bob');
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    const refused = await send(second, stranger, method, { taskId });
    const unknown = await send(second, stranger, method, { taskId: `i-${'A'.repeat(22)}` });
    expect(refused.error).toEqual(unknown.error);
    expect(refused.error).toMatchObject({ code: -32_602, message: 'Unknown task' });
  }
  const undeclared = await send(second, key, 'tasks/get', { taskId }, false);
  expect(undeclared.error.code).toBe(-32_021);

  // A task that waits for answers goes on at another ingress than the one that began it.
  const asking = await send(second, key, 'tools/call', {
    name: 'confirm_delete',
    arguments: { filename: 'a.txt' },
  });
  const asked = await untilEnded(second, key, asking.result.taskId);
  expect(asked).toMatchObject({ status: 'input_required', inputRequests: { confirm: {} } });
  const inputResponses = { confirm: { action: 'accept', content: { confirm: true } } };
  await send(second, key, 'tasks/update', { taskId: asking.result.taskId, inputResponses });
  const answered = await untilEnded(second, key, asking.result.taskId);
  expect(JSON.stringify(answered)).toContain('accept: a.txt');

  // A cancel reaches the running tool at once.
  const doomed = await send(second, key, 'tools/call', {
    name: 'slow_compute',
    arguments: { seconds: 60 },
  });
  const cancelledAt = performance.now();
  await send(second, key, 'tasks/cancel', { taskId: doomed.result.taskId });
  expect((await untilEnded(second, key, doomed.result.taskId))['status']).toBe('cancelled');
  expect(performance.now() - cancelledAt).toBeLessThan(2_000);
});
