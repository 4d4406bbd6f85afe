/**
 * Everything that can go wrong, as a closed list. A `Fault` is the only error whose message
 * may reach a client; whatever else is thrown becomes `internal` and its text stays in the log.
 */
import { z } from 'zod';

export const FaultCode = z.enum([
  'unauthenticated',
  'insufficient_scope',
  'tenant_suspended',
  'overloaded',
  'cancelled',
  'unknown_tool',
  'internal',
  'invalid_arguments',
  'quota_exceeded',
  'backlog_full',
  'storage_full',
  'payload_too_large',
  'idempotency_conflict',
  'outcome_unknown',
  'timed_out',
  'tool_failed',
]);
export type FaultCode = z.output<typeof FaultCode>;

/** A resource that a fault is about, as clients are told of it. */
export const FaultLink = z.object({
  uri: z.string(),
  name: z.string(),
  mimeType: z.string().optional(),
  /** Bytes. */
  size: z.number().int().nonnegative().optional(),
});
export type FaultLink = z.output<typeof FaultLink>;

/** A fault as it travels in a reply. The cause never travels. */
export const FaultRecord = z.object({
  code: FaultCode,
  message: z.string(),
  /** Milliseconds after which the same call may succeed. Absent: a retry would not help. */
  retryAfterMs: z.number().int().nonnegative().optional(),
  link: FaultLink.optional(),
});
export type FaultRecord = z.output<typeof FaultRecord>;

interface FaultOptions {
  readonly retryAfterMs?: number | undefined;
  readonly link?: FaultLink | undefined;
  readonly cause?: unknown;
}

export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  /** Milliseconds after which the same call may succeed. Absent: a retry would not help. */
  readonly retryAfterMs: number | undefined;
  readonly link: FaultLink | undefined;

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.link = options.link;
    this.retryAfterMs =
      options.retryAfterMs === undefined ? undefined : Math.ceil(options.retryAfterMs);
  }

  /** Wraps whatever a `catch` clause received. Faults pass through unchanged. */
  static from(thrown: unknown): Fault {
    return thrown instanceof Fault
      ? thrown
      : new Fault('internal', 'Internal error', { cause: thrown });
  }

  toRecord(): FaultRecord {
    const { code, message, retryAfterMs, link } = this;
    return {
      code,
      message,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(link && { link }),
    };
  }

  static fromRecord({ code, message, retryAfterMs, link }: FaultRecord): Fault {
    return new Fault(code, message, { retryAfterMs, link });
  }
}
