/**
 * What a request says besides its name and arguments: idempotency key, trace context, and where
 * notifications of its progress go.
 */
import type { ServerContext } from '@modelcontextprotocol/server';
import { Fault } from '../../shared/faults.ts';
import type { LogNotice, Progress } from '../../shared/queue/invocation.ts';
import type { McpExchange, SessionWishes } from './mcp-exchange.ts';

/**
 * Progress as notifications, if the client asked for it. A re-run starts over, and the protocol
 * wants increasing values: others are dropped. So are those that a client is too slow to read.
 */
export function forwardProgress(
  { mcpReq }: ServerContext,
  exchange: McpExchange,
): ((progress: Pick<Progress, 'progress' | 'total' | 'message'>) => void) | undefined {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  let last = -Infinity;
  return ({ progress, total, message }) => {
    if (progress <= last || mcpReq.signal.aborted || exchange.congested()) return;
    last = progress;
    const params = {
      progressToken,
      progress,
      ...(total !== undefined && { total }),
      ...(message !== undefined && { message }),
    };
    // It fails only if the client has gone, which the exchange notices by itself.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined);
  };
}

const levels = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
] as const;

/** What a session that named no level hears. */
const defaultLevel = 'info';

/** Log messages of the tool. The SDK knows which of them a modern client wants. */
export function forwardLog({ mcpReq }: ServerContext, exchange: McpExchange) {
  const { wishes } = exchange;
  // Asked before the tool runs, so that no message has to wait.
  const least = wishes ? leastOf(wishes) : Promise.resolve(0);
  const say = async (level: (typeof levels)[number], data: unknown): Promise<void> => {
    if (levels.indexOf(level) < (await least) || mcpReq.signal.aborted) return;
    await mcpReq.log(level, data ?? null);
  };
  return ({ level, data }: LogNotice): void => {
    const known = levels.find((each) => each === level);
    if (known === undefined || mcpReq.signal.aborted || exchange.congested()) return;
    say(known, data).catch(() => undefined);
  };
}

async function leastOf(wishes: SessionWishes): Promise<number> {
  const named = await wishes.level().catch(() => undefined);
  const at = levels.findIndex((level) => level === named);
  return at === -1 ? levels.indexOf(defaultLevel) : at;
}

/** `_meta` of a request. */
type Meta = Readonly<Record<string, unknown>> | undefined;

/** @throws {Fault} `invalid_arguments` */
export function idempotencyKeyOf(meta: Meta, exchange: McpExchange): string | undefined {
  const inBody = meta?.['agent-mesh/idempotencyKey'];
  const key = inBody ?? exchange.idempotencyKey;
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new Fault(
      'invalid_arguments',
      'An idempotency key must be 1 to 255 printable ASCII characters',
    );
  }
  if (exchange.idempotencyKey !== undefined && exchange.idempotencyKey !== key) {
    throw new Fault('invalid_arguments', 'The header and _meta carry different idempotency keys');
  }
  return key;
}

/** Undefined unless it is a trace context of the known version. */
export function traceparentOf(meta: Meta, exchange: McpExchange): string | undefined {
  const value = meta?.['traceparent'] ?? exchange.traceparent;
  return isTraceparent(value) ? value : undefined;
}

export const isTraceparent = (value: unknown): value is string =>
  typeof value === 'string' && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value);
