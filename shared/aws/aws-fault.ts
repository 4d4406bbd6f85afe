/**
 * AWS exception → Fault. The only file that knows AWS error names.
 *
 * A fault's text names the store and what to do. Endpoints, accounts, roles, ARNs and request ids
 * stay in the cause, which never travels.
 */
import { z } from 'zod';
import { Fault } from '../faults.ts';

/** What a client is told it was that failed. */
export type Store = 'key-value store' | 'artifact store' | 'event bus' | 'credential store';

/** The parts of an SDK error that decide anything. */
const Thrown = z.object({
  name: z.string().catch(''),
  code: z.string().optional().catch(undefined),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional().catch(undefined),
  $response: z
    .object({ headers: z.record(z.string(), z.string()) })
    .optional()
    .catch(undefined),
});

const throttled = new Set([
  'BandwidthLimitExceeded',
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]);

const unavailable = new Set([
  'InternalError',
  'InternalException',
  'InternalFailure',
  'InternalServerError',
  'RequestTimeout',
  'RequestTimeoutException',
  'ServiceUnavailable',
  'ServiceUnavailableException',
  'TimeoutError',
]);

const denied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'ExpiredToken',
  'ExpiredTokenException',
  'NotAuthorizedForDetailTypeException',
  'NotAuthorizedForSourceException',
  'UnrecognizedClientException',
]);

/** No connection was made, so nothing was sent. */
const unreachable = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
]);

/** The connection broke after something may have been sent. */
const broken = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

const throttledRetryMs = 2_000;
const unavailableRetryMs = 1_000;
const longestRetryMs = 60_000;

/** Wraps whatever a request threw. Faults pass through unchanged. */
export function toFault(thrown: unknown, store: Store): Fault {
  if (thrown instanceof Fault) return thrown;
  if (isThrottled(thrown)) {
    return retryable(thrown, `The ${store} is busy.`, throttledRetryMs);
  }
  if (isUnavailable(thrown)) {
    return retryable(thrown, `The ${store} did not answer.`, unavailableRetryMs);
  }
  if (isDenied(thrown)) {
    const message = `The ${store} refused access for this tenant. A retry will not help; tell the operator.`;
    return new Fault('tool_failed', message, { cause: thrown });
  }
  return Fault.from(thrown);
}

/** A condition on a DynamoDB write did not hold. */
export function isConditionFailed(thrown: unknown): boolean {
  return parse(thrown).name === 'ConditionalCheckFailedException';
}

/** An If-Match or If-None-Match on an S3 write did not hold, or another write was under way. */
export function isPreconditionFailed(thrown: unknown): boolean {
  const { name, $metadata } = parse(thrown);
  return (
    $metadata?.httpStatusCode === 412 ||
    name === 'PreconditionFailed' ||
    name === 'ConditionalRequestConflict'
  );
}

/** There is no such object. A missing bucket is another matter: a configuration error. */
export function isMissing(thrown: unknown): boolean {
  const { name } = parse(thrown);
  return name === 'NoSuchKey' || name === 'NotFound';
}

export function isDenied(thrown: unknown): boolean {
  const { name, $metadata } = parse(thrown);
  return denied.has(name) || $metadata?.httpStatusCode === 403;
}

/** The request may have taken effect although no answer says so. */
export function mayHaveHappened(thrown: unknown): boolean {
  const { code = '' } = parse(thrown);
  return isUnavailable(thrown) && !unreachable.has(code);
}

function isThrottled(thrown: unknown): boolean {
  const { name, $metadata } = parse(thrown);
  return throttled.has(name) || $metadata?.httpStatusCode === 429;
}

function isUnavailable(thrown: unknown): boolean {
  const { name, code = '', $metadata } = parse(thrown);
  return (
    unavailable.has(name) ||
    unreachable.has(code) ||
    broken.has(code) ||
    ($metadata?.httpStatusCode ?? 0) >= 500
  );
}

function retryable(thrown: unknown, what: string, usualMs: number): Fault {
  const asked = Number(parse(thrown).$response?.headers['retry-after']) * 1_000;
  const retryAfterMs = asked > 0 ? Math.min(asked, longestRetryMs) : usualMs;
  const message = `${what} Retry in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return new Fault('tool_failed', message, { retryAfterMs, cause: thrown });
}

function parse(thrown: unknown): Partial<z.output<typeof Thrown>> & { readonly name: string } {
  const parsed = Thrown.safeParse(thrown);
  return parsed.success ? parsed.data : { name: '' };
}
