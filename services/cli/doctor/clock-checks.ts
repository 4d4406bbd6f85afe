/** How far this machine's clock is from those that calls and requests are timed by. */
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { Redis } from 'ioredis';
import type { AwsAccess } from '../../../deploy/local/aws-access.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';

const worthAWordMs = 2_000;
/** AWS refuses what is signed five minutes off; tokens are worthless sooner. */
const tooFarMs = 60_000;

export function clockChecks(ports: {
  readonly redis: Redis;
  readonly access: AwsAccess;
  readonly table: string;
}): readonly Check[] {
  return [
    { name: 'Clock against Redis', run: () => compare(() => redisTime(ports.redis), 0) },
    // Its header tells whole seconds.
    { name: 'Clock against AWS', run: () => compare(() => awsTime(ports), 1_000) },
  ];
}

async function compare(read: () => Promise<number>, precisionMs: number): Promise<Finding> {
  const before = Date.now();
  const there = await read();
  const after = Date.now();
  // Somewhere in between the other clock was read, and it may have been cut down to its precision.
  const offsetMs = Math.max(there - after, before - there - precisionMs, 0);
  const text = `${(offsetMs / 1_000).toFixed(1)} s apart`;
  const mend = 'Let both machines take their time from NTP.';
  if (offsetMs > tooFarMs) return failed(text, mend);
  return offsetMs > worthAWordMs ? warning(text, mend) : ok(text);
}

async function redisTime(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
}

/** Every answer has it, a refusal as well. */
async function awsTime(ports: { readonly access: AwsAccess; readonly table: string }) {
  const dynamo = new DynamoDBClient({ ...ports.access, maxAttempts: 1 });
  let told: string | undefined;
  dynamo.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      told = dateOf(result.response);
      return result;
    },
    // The last before the wire, so that it sees the answer as it came.
    { step: 'deserialize', priority: 'low', name: 'date' },
  );
  const Key = { pk: { S: 'DOCTOR' }, sk: { S: 'PROBE' } };
  const sent = dynamo.send(new GetItemCommand({ TableName: ports.table, Key }));
  await sent.catch((error: unknown) => {
    if (told === undefined) throw error;
  });
  dynamo.destroy();
  const time = Date.parse(told ?? '');
  if (Number.isNaN(time)) throw new Error('AWS did not say what time it is');
  return time;
}

function dateOf(response: unknown): string | undefined {
  if (typeof response !== 'object' || response === null || !('headers' in response)) {
    return undefined;
  }
  const { headers } = response;
  const isFound = typeof headers === 'object' && headers !== null && 'date' in headers;
  return isFound && typeof headers.date === 'string' ? headers.date : undefined;
}
