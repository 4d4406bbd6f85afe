import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toFault } from '../../../shared/aws/aws-fault.ts';
import { Fault } from '../../../shared/faults.ts';
import { createCalls, pointSdkAt } from './local-cloud.ts';
import { startScriptedCloud, type Answer, type ScriptedCloud } from './scripted-cloud.ts';

const secrets =
  'arn:aws:iam::123456789012:role/mesh is not authorized on table/agent-mesh-kv for globex';
const failure = (status: number, type: string): Answer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: secrets }),
});

let cloud: ScriptedCloud;
let calls: ReturnType<typeof createCalls>;
beforeAll(async () => {
  cloud = await startScriptedCloud();
  pointSdkAt(cloud.url);
  calls = createCalls({ requestTimeoutMs: 150 });
});
afterAll(() => cloud[Symbol.asyncDispose]());

async function faultAfter(answer: Answer | undefined): Promise<Fault> {
  cloud.answer(() => answer);
  // A tenant per fault: retries spend a client's allowance.
  const tenant = `t-${Math.random().toString(36).slice(2)}`;
  const fault = await calls
    .call({ tenant })
    .readKv('k')
    .catch((thrown: unknown) => thrown);
  expect(fault).toBeInstanceOf(Fault);
  return fault as Fault;
}

describe('a failure of AWS', () => {
  test('by throttling says when to try again', async () => {
    const fault = await faultAfter(failure(400, 'ThrottlingException'));
    expect(fault).toMatchObject({ code: 'tool_failed', retryAfterMs: 2_000 });
    expect(fault.message).toBe('The key-value store is busy. Retry in 2 s.');
  });

  test.each([500, 503])('with a %i says when to try again', async (status) => {
    const fault = await faultAfter(failure(status, 'InternalServerError'));
    expect(fault).toMatchObject({ code: 'tool_failed', retryAfterMs: 1_000 });
    expect(fault.message).toBe('The key-value store did not answer. Retry in 1 s.');
  });

  test('by silence ends at the request timeout, after as many tries as any other', async () => {
    const fault = await faultAfter(undefined);
    expect(fault).toMatchObject({ code: 'tool_failed', retryAfterMs: 1_000 });
    expect(cloud.asked).toHaveLength(3);
  });

  test('by a refusal of access tells nothing of roles, accounts or other tenants', async () => {
    const fault = await faultAfter(failure(400, 'AccessDeniedException'));
    expect(fault).toMatchObject({ code: 'tool_failed', retryAfterMs: undefined });
    expect(fault.message).not.toMatch(/arn|123456789012|globex|agent-mesh|127\.0\.0\.1/);
  });

  test('of a kind nobody foresaw is internal, with the cause for the log alone', async () => {
    const fault = await faultAfter(failure(400, 'ResourceNotFoundException'));
    expect(fault).toMatchObject({ code: 'internal', message: 'Internal error' });
    expect(fault.cause).toBeInstanceOf(Error);
  });

  test('in the middle of a body says when to try again', async () => {
    cloud.answer(() => ({
      status: 200,
      headers: { 'content-length': '9' },
      body: 'begun',
      cut: true,
    }));
    await expect(calls.call().readArtifact('k', 100)).rejects.toMatchObject({
      code: 'tool_failed',
      retryAfterMs: 1_000,
    });
  });

  test('by silence in the middle of a body says when to try again', async () => {
    cloud.answer(() => ({ status: 200, headers: { 'content-length': '9' }, body: 'begun' }));
    await expect(calls.call().readArtifact('k', 100)).rejects.toMatchObject({
      code: 'tool_failed',
      retryAfterMs: 1_000,
    });
  });
});

describe('an error of the SDK', () => {
  const error = (parts: object) => Object.assign(new Error(secrets), parts);
  const busy = /^The artifact store is busy\. Retry in 2 s\.$/;
  const silent = /^The artifact store did not answer\. Retry in 1 s\.$/;
  const denied = /^The artifact store refused access/;

  test.each([
    [{ name: 'SlowDown', $metadata: { httpStatusCode: 503 } }, busy],
    [{ name: 'ProvisionedThroughputExceededException' }, busy],
    [{ name: 'Odd', $metadata: { httpStatusCode: 429 } }, busy],
    [{ name: 'Odd', $metadata: { httpStatusCode: 502 } }, silent],
    [{ name: 'TimeoutError' }, silent],
    [{ code: 'ECONNRESET' }, silent],
    [{ code: 'EAI_AGAIN' }, silent],
    [{ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } }, denied],
    [{ name: 'SignatureDoesNotMatch', $metadata: { httpStatusCode: 403 } }, denied],
    [{ name: 'ValidationException', $metadata: { httpStatusCode: 400 } }, /^Internal error$/],
    [{ $response: 'garbage', $metadata: 7 }, /^Internal error$/],
  ])('with %j tells a client only what to do', (parts, message) => {
    expect(toFault(error(parts), 'artifact store').message).toMatch(message);
  });

  test('passes on the waiting time that AWS asked for, within reason', () => {
    const asking = (seconds: string) =>
      toFault(
        error({ name: 'SlowDown', $response: { headers: { 'retry-after': seconds } } }),
        'artifact store',
      );
    expect(asking('7').message).toMatch(/Retry in 7 s\.$/);
    expect(asking('86400')).toMatchObject({ retryAfterMs: 60_000 });
    expect(asking('tomorrow')).toMatchObject({ retryAfterMs: 2_000 });
  });

  test('that is none is internal, whatever was thrown', () => {
    for (const thrown of [undefined, null, 'x', 7, {}]) {
      expect(toFault(thrown, 'artifact store')).toMatchObject({ code: 'internal' });
    }
  });
});

describe('an artifact that S3 denies', () => {
  const denied: Answer = { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' };
  const listing = (key: string): Answer => ({
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<ListBucketResult><Contents><Key>${key}</Key></Contents></ListBucketResult>`,
  });

  test('is missing if the listing does not know it', async () => {
    cloud.answer(({ path }) => (path.includes('list-type=2') ? listing('acme/k2') : denied));
    expect(await calls.call().readArtifact('k', 1)).toBeUndefined();
  });

  test('is denied if the listing knows it', async () => {
    cloud.answer(({ path }) => (path.includes('list-type=2') ? listing('acme/k') : denied));
    await expect(calls.call().readArtifact('k', 1)).rejects.toMatchObject({ code: 'tool_failed' });
  });
});

test('an artifact above the limit is refused without transferring its body', async () => {
  const before = cloud.seen.cutOff;
  cloud.answer(() => ({
    status: 200,
    headers: { 'content-length': '20000000' },
    body: 'x'.repeat(20_000_000),
  }));
  await expect(createCalls().call().readArtifact('k', 100)).rejects.toMatchObject({
    code: 'payload_too_large',
  });
  await expect.poll(() => cloud.seen.cutOff).toBe(before + 1);
});

test('a listing too large for a reply is refused', async () => {
  const keys = Array.from({ length: 1_000 }, (_, n) => `acme/${n}`.padEnd(905, 'x'));
  const page = `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>${keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}</ListBucketResult>`;
  cloud.answer(() => ({ status: 200, headers: { 'content-type': 'application/xml' }, body: page }));
  await expect(calls.call().listArtifacts('')).rejects.toMatchObject({
    code: 'payload_too_large',
    message: expect.stringContaining('longer prefix'),
  });
  expect(cloud.asked).toHaveLength(5);
});
