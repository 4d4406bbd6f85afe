/**
 * Long answers to `subscriptions/listen` of 2026-07-28. The SDK's bus knows no principal, so each
 * stream has a handler of its own and is told alone.
 */
import { createMcpHandler, type McpServerFactory } from '@modelcontextprotocol/server';
import type { Change } from '../../../shared/queue/change-events.ts';
import type { Caller } from '../authenticate.ts';
import type { Listeners } from './listeners.ts';

export interface SubscriptionsPorts {
  /** Makes the server that a stream is acknowledged by. */
  readonly serve: McpServerFactory;
  readonly listeners: Listeners;
}

export interface Subscriptions {
  /** Answers with a stream, or with the SDK's own refusal. It lives until `signal` aborts. */
  listen(request: Request, body: unknown, caller: Caller, signal: AbortSignal): Promise<Response>;
}

export function createSubscriptions({ serve, listeners }: SubscriptionsPorts): Subscriptions {
  return {
    async listen(request, body, caller, signal) {
      let handler = createMcpHandler(serve, { maxSubscriptions: 1 });
      const listening = listeners.add({
        caller,
        // What was asked for is the SDK's to know.
        mightWant: () => true,
        tell: (change) => notify(handler, change),
        end: () => handler.close(),
      });
      // Its way to refuse.
      if (!listening) handler = createMcpHandler(serve, { maxSubscriptions: 0 });
      const leave = (): void => {
        listening?.stop();
        void handler.close();
      };
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
      const answer = await handler.fetch(request, { parsedBody: body });
      listening?.begin();
      return answer;
    },
  };
}

function notify({ notify: say }: ReturnType<typeof createMcpHandler>, change: Change): void {
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
