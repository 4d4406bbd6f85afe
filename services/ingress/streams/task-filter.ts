/**
 * Tasks on a stream of `subscriptions/listen`. The SDK knows nothing of them: it is asked for the
 * rest, its acknowledgement is completed, and word of tasks goes between what it sends.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  MissingRequiredClientCapabilityError,
  SUBSCRIPTION_ID_META_KEY,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Principal } from '../../../shared/tenants/tenant.ts';
import type { Result } from '../converse.ts';
import { httpError } from '../respond.ts';
import { tasksExtension } from '../task-requests.ts';
import type { TaskNews } from './task-news.ts';

/** What a listen says of tasks; anything else in it is the SDK's to check. */
const Listen = z.looseObject({
  id: z.union([z.string(), z.number()]),
  params: z.looseObject({
    notifications: z.looseObject({
      taskIds: z.array(z.string()),
      resourceSubscriptions: z.array(z.string()).default([]),
    }),
    _meta: z.looseObject({
      [CLIENT_CAPABILITIES_META_KEY]: z.looseObject({
        extensions: z.record(z.string(), z.unknown()).optional(),
      }),
    }),
  }),
});
export type TaskListen = z.output<typeof Listen>;

const Acknowledged = z.looseObject({
  params: z.looseObject({
    notifications: z.looseObject({ resourceSubscriptions: z.array(z.string()).optional() }),
  }),
});

/** More are not followed on one stream. */
const mostTasks = 100;

/** Nobody's: the SDK would end at once a stream on which nothing else is asked for. */
const nothing = 'mesh://';

/** Undefined unless it asks for tasks. */
export const asTaskListen = (body: unknown): TaskListen | undefined => Listen.safeParse(body).data;

export const declaresTasks = ({ params }: TaskListen): boolean =>
  params._meta[CLIENT_CAPABILITIES_META_KEY].extensions?.[tasksExtension] !== undefined;

export function refuseTasks({ id }: TaskListen): Response {
  const { code, message, data } = new MissingRequiredClientCapabilityError({
    requiredCapabilities: { extensions: { [tasksExtension]: {} } },
  });
  const { status, body } = httpError(400, { code, message, data }, { id });
  return new Response(body, { status, headers: { 'content-type': 'application/json' } });
}

/** Those of the tasks asked for that the principal has. The others look as if they did not exist. */
export const findTasks = (
  { params }: TaskListen,
  principal: Principal,
  news: TaskNews,
): Promise<readonly string[]> =>
  news.own(principal, [...new Set(params.notifications.taskIds)].slice(0, mostTasks));

/** The request as the SDK is to see it. */
export function withoutTasks(listen: TaskListen): object {
  const { taskIds: _, resourceSubscriptions, ...others } = listen.params.notifications;
  const notifications = { ...others, resourceSubscriptions: [...resourceSubscriptions, nothing] };
  return { ...listen, params: { ...listen.params, notifications } };
}

/** The SDK's stream with tasks on it. `follow` begins once it is acknowledged. */
export function withTasks(
  answer: Response,
  { id }: TaskListen,
  taskIds: readonly string[],
  follow: (taskId: string, tell: (task: Result) => void, signal: AbortSignal) => Promise<void>,
): Response {
  if (!answer.body || !answer.headers.get('content-type')?.startsWith('text/event-stream')) {
    return answer;
  }
  const reader = answer.body.getReader();
  const over = new AbortController();
  const encoder = new TextEncoder();
  const frame = (message: object): Uint8Array =>
    encoder.encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`);

  async function pump(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const tell = (task: Result): void => {
      if (over.signal.aborted) return;
      const params = { ...task, _meta: { [SUBSCRIPTION_ID_META_KEY]: id } };
      controller.enqueue(frame({ jsonrpc: '2.0', method: 'notifications/tasks', params }));
    };
    try {
      const first = await reader.read();
      if (!first.done) controller.enqueue(frame(acknowledge(first.value, taskIds)));
      for (const taskId of taskIds) void follow(taskId, tell, over.signal);
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        controller.enqueue(next.value);
      }
    } finally {
      over.abort();
      controller.close();
    }
  }

  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => void pump(controller).catch(() => undefined),
    async cancel() {
      over.abort();
      await reader.cancel();
    },
  });
  return new Response(stream, { status: answer.status, headers: answer.headers });
}

/** The SDK's first event, with what it does not know of. */
function acknowledge(chunk: Uint8Array, taskIds: readonly string[]): object {
  const [, json = ''] = /^data: (.*)$/m.exec(new TextDecoder().decode(chunk)) ?? [];
  const message = Acknowledged.parse(JSON.parse(json));
  const { resourceSubscriptions = [], ...others } = message.params.notifications;
  const uris = resourceSubscriptions.filter((uri) => uri !== nothing);
  const notifications = {
    ...others,
    ...(uris.length > 0 && { resourceSubscriptions: uris }),
    taskIds,
  };
  return { ...message, params: { ...message.params, notifications } };
}
