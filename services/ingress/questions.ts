/**
 * Requests of this server to 2025-era clients. One goes out on the stream of the request that it
 * is about; the answer is a POST of its own, which may arrive at any ingress. The id of the request
 * names the ingress that waits, and the session tells whose answer counts.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Fault } from '../../shared/faults.ts';
import type { Question } from './mcp-exchange.ts';

/** Reaches one ingress by its name. */
export interface AnswerChannel {
  /** Of this ingress. */
  readonly name: string;
  publish(ingress: string, text: string): Promise<unknown>;
  /** Returns the way to stop listening. */
  subscribe(listener: (text: string) => void): () => void;
}

export interface Questions {
  /** `write` puts a JSON-RPC message on the stream. Resolves with the client's result. */
  ask(
    session: string,
    question: Question,
    write: (message: string) => void,
    signal: AbortSignal,
  ): Promise<unknown>;
  /** Passes an answer on to whoever asked; one that nobody waits for is dropped. */
  deliver(session: string, message: unknown): Promise<void>;
  close(): void;
}

const Id = z.string().regex(/^g-[A-Za-z0-9_-]{8}\/[A-Za-z0-9_-]{22}$/);
const Answer = z.object({
  id: Id,
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});
const Delivered = z.object({ session: z.string(), answer: Answer });

/** People think; their client has a timeout of its own on the request that waits. */
const answerWithinMs = 120_000;

/** Whether a message of a client is an answer, rather than a request or a notification. */
export const isAnswer = (message: unknown): boolean =>
  z.object({ method: z.undefined().optional() }).safeParse(message).success &&
  Answer.safeParse(message).success;

export function createQuestions(channel: AnswerChannel): Questions {
  const waiting = new Map<string, (answer: z.output<typeof Answer>) => void>();
  const keyOf = (session: string, id: string): string => `${session} ${id}`;

  const accept = (text: string): void => {
    const { session, answer } = Delivered.parse(JSON.parse(text));
    waiting.get(keyOf(session, answer.id))?.(answer);
  };
  const close = channel.subscribe(accept);

  return {
    close,
    async ask(session, { method, params }, write, signal) {
      const id = `${channel.name}/${randomBytes(16).toString('base64url')}`;
      const key = keyOf(session, id);
      const { promise, resolve, reject } = Promise.withResolvers<z.output<typeof Answer>>();
      const stop = (): void => reject(signal.reason);
      const timer = setTimeout(
        () => reject(new Fault('tool_failed', 'The client did not answer in time')),
        answerWithinMs,
      );
      waiting.set(key, resolve);
      signal.addEventListener('abort', stop, { once: true });
      try {
        if (signal.aborted) stop();
        write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
        const { result, error } = await promise;
        if (!error) return result;
        throw new Fault('tool_failed', `The client refused ${method}: ${error.message}`);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        waiting.delete(key);
      }
    },
    async deliver(session, message) {
      const answer = Answer.parse(message);
      const text = JSON.stringify({ session, answer });
      const [ingress = ''] = answer.id.split('/');
      if (ingress === channel.name) accept(text);
      else {
        await channel.publish(ingress, text).catch((cause: unknown) => {
          throw new Fault('overloaded', 'The answer could not be passed on', {
            retryAfterMs: 1_000,
            cause,
          });
        });
      }
    },
  };
}
