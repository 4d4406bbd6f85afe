/**
 * A dead letter: a call that failed for reasons which are not its caller's, as an operator or an
 * Admin of its tenant may see it. What only a replay needs stays in Redis.
 */
import { z } from 'zod';
import { FaultCode } from '../faults.ts';
import type { InvocationId, TenantId } from '../ids.ts';
import { decodeInvocation, type Invocation } from '../queue/invocation.ts';

export interface DeadLetter {
  readonly id: InvocationId;
  readonly tenant: TenantId;
  /** Epoch ms by the clock of Redis. */
  readonly failedAt: number;
  readonly code: FaultCode;
  readonly message: string;
  /** For operators alone. */
  readonly cause?: string | undefined;
  /** How often the call was started. */
  readonly attempts: number;
  /** These are absent if the message could not be read, which also rules out a replay. */
  readonly user?: string | undefined;
  readonly tool?: string | undefined;
  /** As JSON, without what the tool calls sensitive, cut to 2 KB. */
  readonly arguments?: string | undefined;
  readonly traceId?: string | undefined;
}

/** What a replay needs besides the letter. */
export interface Replayable {
  readonly invocation: Invocation;
  readonly fingerprint: string;
  readonly replyTtlMs: number;
}

const What = z.object({ code: FaultCode, message: z.string(), cause: z.string().optional() });

const mostArgumentBytes = 2_048;
const withheld = '[withheld]';

/** The names of a tool's arguments that nobody may see; undefined if the tool is not known here. */
export type SensitiveOf = (tool: string) => readonly string[] | undefined;

/** @throws {z.ZodError} or {SyntaxError} if the text is no letter. */
export function parseLetter(
  text: string,
  where: Pick<DeadLetter, 'id' | 'tenant' | 'failedAt'>,
  sensitiveOf: SensitiveOf,
): { readonly letter: DeadLetter; readonly replayable: Replayable | undefined } {
  const [what = '', facts = '', ...message] = text.split('\n');
  const [attempts = '0', replyTtlMs = '0', fingerprint = ''] = facts.split(' ');
  const invocation = readInvocation(message.join('\n'));
  const letter = { ...where, ...What.parse(JSON.parse(what)), attempts: Number(attempts) };
  if (!invocation) return { letter, replayable: undefined };
  return {
    letter: { ...letter, ...describe(invocation, sensitiveOf) },
    replayable: { invocation, fingerprint, replyTtlMs: Number(replyTtlMs) },
  };
}

/** What may be shown of a call. */
function describe(
  { user, tool, arguments: input, traceparent }: Invocation,
  sensitiveOf: SensitiveOf,
): Pick<DeadLetter, 'user' | 'tool' | 'arguments' | 'traceId'> {
  const traceId = traceparent?.split('-')[1];
  const shown = redact(input, sensitiveOf(tool));
  return { user, tool, arguments: shown, ...(traceId === undefined ? {} : { traceId }) };
}

/** Of a tool that is not known here everything may be sensitive. */
function redact(
  input: Readonly<Record<string, unknown>>,
  sensitive: readonly string[] | undefined,
): string {
  const shown = Object.entries(input).map(([name, value]) =>
    !sensitive || sensitive.includes(name) ? [name, withheld] : [name, value],
  );
  const json = Buffer.from(JSON.stringify(Object.fromEntries(shown)));
  if (json.length <= mostArgumentBytes) return json.toString();
  // A cut in the middle of a character would leave a replacement character behind.
  const cut = new TextDecoder().decode(json.subarray(0, mostArgumentBytes), { stream: true });
  return `${cut}…`;
}

function readInvocation(data: string): Invocation | undefined {
  try {
    return decodeInvocation(data);
  } catch {
    return undefined;
  }
}
