/** Word of tasks to whoever listens for them, at another ingress than the one that began them. */
import { expect, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';
import { listenForTasks, send } from '../support/task-client.ts';

const tenants = `
tenants:
  - id: other
    users: [{ id: bob, role: Admin }]
`;

test(
  'listeners hear each state of their own tasks, and of no others',
  { timeout: 60_000 },
  async () => {
    await using cluster = await startTestCluster({
      ingresses: 2,
      conformance: true,
      diagnostics: true,
      tenants,
      environment: { TASK_AFTER_MS: '100' },
    });
    const [first, second] = cluster.ingresses.map(({ ready }) => ready.mcp);
    if (first === undefined || second === undefined)
      throw new Error('Two ingresses were asked for');
    const key = cluster.apiKey;
    const begin = async (name: string, args: object): Promise<string> =>
      (await send(first, key, 'tools/call', { name, arguments: args })).result.taskId;

    const question = await begin('confirm_delete', { filename: 'b.txt' });
    const long = await begin('diagnostics_sleep', { ms: 1_500 });
    const doomed = await begin('slow_compute', { seconds: 60 });
    const ids = [question, long, doomed];
    const stream = await listenForTasks(second, key, [...ids, 'i-unknown']);
    expect(stream.acknowledged()).toEqual({ taskIds: ids });

    await expect.poll(() => stream.told(question), { timeout: 10_000 }).toEqual(['input_required']);
    const inputResponses = { confirm: { action: 'accept', content: { confirm: true } } };
    await send(first, key, 'tasks/update', { taskId: question, inputResponses });
    await send(first, key, 'tasks/cancel', { taskId: doomed });
    await expect.poll(() => stream.told(doomed), { timeout: 10_000 }).toEqual(['cancelled']);
    await expect.poll(() => stream.told(question).at(-1), { timeout: 10_000 }).toBe('completed');
    await expect.poll(() => stream.told(long), { timeout: 10_000 }).toEqual(['completed']);
    // The result comes with the word.
    expect(stream.text()).toContain('accept: b.txt');
    expect(stream.text()).toContain('"slept":1500');

    // One that has ended already is told of at once.
    const late = await listenForTasks(first, key, [long]);
    await expect.poll(() => late.told(long)).toEqual(['completed']);

    // Somebody else's tasks are ones that do not exist.
    const stranger = await listenForTasks(second, await createKey(cluster, 'other', 'bob'), ids);
    await stranger.ended;
    expect(stranger.acknowledged()).toEqual({});
    const deaf = { notifications: { taskIds: ids } };
    expect(await send(second, key, 'subscriptions/listen', deaf, false)).toMatchObject({
      status: 400,
      error: { code: -32_021 },
    });
    stream.leave();
    late.leave();
  },
);
