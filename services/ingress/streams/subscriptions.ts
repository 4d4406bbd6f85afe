/**
 * Long answers to `subscriptions/listen` of 2026-07-28. The SDK's bus knows no principal, so each
 * stream has a handler of its own and is told alone.
 */
import { createMcpHandler, type McpServerFactory } from '@modelcontextprotocol/server';
import type { CatalogChange } from '../../../shared/queue/change-events.ts';
import type { Caller } from '../authenticate.ts';
import type { Listeners } from './listeners.ts';
import {
  asTaskListen,
  declaresTasks,
  findTasks,
  refuseTasks,
  withoutTasks,
  withTasks,
} from './task-filter.ts';
import type { TaskNews } from './task-news.ts';

export interface SubscriptionsPorts {
  /** Makes the server that a stream is acknowledged by. */
  readonly serve: McpServerFactory;
  readonly listeners: Listeners;
  /** Absent: there are no tasks. */
  readonly news?: TaskNews | undefined;
}

export interface Subscriptions {
  /** Answers with a stream, or with the SDK's own refusal. It lives until `signal` aborts. */
  listen(request: Request, body: unknown, caller: Caller, signal: AbortSignal): Promise<Response>;
}

export function createSubscriptions({ serve, listeners, news }: SubscriptionsPorts): Subscriptions {
  return {
    async listen(request, body, caller, signal) {
      const wanted = news && asTaskListen(body);
      if (wanted && !declaresTasks(wanted)) return refuseTasks(wanted);
      const listening = listeners.add({
        caller,
        // What was asked for is the SDK's to know.
        mightWant: () => true,
        tell: (change) => notify(handler, change),
        end: () => handler.close(),
      });
      // None is its way to refuse.
      const handler = createMcpHandler(serve, { maxSubscriptions: listening ? 1 : 0 });
      const leave = (): void => {
        listening?.stop();
        void handler.close();
      };
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
      const answer = await answerBy(handler, { request, body, caller }, news);
      listening?.begin();
      return answer;
    },
  };
}

async function answerBy(
  handler: ReturnType<typeof createMcpHandler>,
  asked: { readonly request: Request; readonly body: unknown; readonly caller: Caller },
  news: TaskNews | undefined,
): Promise<Response> {
  const { request, body, caller } = asked;
  const listen = news && asTaskListen(body);
  const taskIds = listen ? await findTasks(listen, caller.principal, news) : [];
  if (!listen || taskIds.length === 0) return handler.fetch(request, { parsedBody: body });
  const answer = await handler.fetch(request, { parsedBody: withoutTasks(listen) });
  return withTasks(answer, listen, taskIds, (id, tell, signal) =>
    news.follow(caller.principal, id, tell, signal),
  );
}

function notify({ notify: say }: ReturnType<typeof createMcpHandler>, change: CatalogChange): void {
  switch (change.kind) {
    case 'tools':
      return say.toolsChanged();
    case 'prompts':
      return say.promptsChanged();
    case 'resources':
      return say.resourcesChanged();
    case 'resource':
      return say.resourceUpdated(change.uri);
  }
}
