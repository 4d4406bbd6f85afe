import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaseGuard, withinLease } from '../../../shared/aws/lease-guard.ts';
import { Fault } from '../../../shared/faults.ts';
import { TenantId, UserId } from '../../../shared/ids.ts';
import { createCalls, names, pointSdkAt } from './local-cloud.ts';
import { startScriptedCloud, type ScriptedCloud } from './scripted-cloud.ts';

const failure = {
  status: 500,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: '{"__type":"InternalServerError"}',
};

let cloud: ScriptedCloud;
let calls: ReturnType<typeof createCalls>;
beforeAll(async () => {
  cloud = await startScriptedCloud();
  pointSdkAt(cloud.url);
  calls = createCalls();
});
afterAll(() => cloud[Symbol.asyncDispose]());

/** A lease that is lost once `requests` have left. */
const leaseOf = (requests: number) => () => {
  if (cloud.asked.length >= requests) throw new Fault('outcome_unknown', 'The lease is over.');
};

describe('past its lease a call', () => {
  test('sends no retry, although the SDK would', async () => {
    cloud.answer(() => failure);
    await expect(calls.call().readKv('k')).rejects.toMatchObject({ code: 'tool_failed' });
    expect(cloud.asked).toHaveLength(3);

    cloud.answer(() => failure);
    const call = calls.call({ assertLease: leaseOf(1) });
    await expect(call.readKv('k')).rejects.toThrow('The lease is over.');
    expect(cloud.asked).toHaveLength(1);
  });

  test('begins nothing', async () => {
    cloud.answer(() => failure);
    const aws = calls.call({ assertLease: leaseOf(0) });
    const attempts = [
      aws.readKv('k'),
      aws.writeKv('k', 'v', undefined),
      aws.readArtifact('k', 1),
      aws.writeArtifact('k', new Uint8Array(), 'text/plain'),
      aws.listArtifacts(''),
      aws.sendEvent('x', {}),
    ];
    for (const attempt of attempts) await expect(attempt).rejects.toThrow('The lease is over.');
    expect(cloud.asked).toHaveLength(0);
  });

  test('asks for no further page', async () => {
    const page =
      '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>';
    cloud.answer(() => ({
      status: 200,
      headers: { 'content-type': 'application/xml' },
      body: page,
    }));
    const call = calls.call({ assertLease: leaseOf(2) });
    await expect(call.listArtifacts('')).rejects.toThrow('The lease is over.');
    expect(cloud.asked).toHaveLength(2);
  });
});

describe('a call that is stopped', () => {
  test('ends at once with the reason it was given, in the middle of a request', async () => {
    const stop = new AbortController();
    cloud.answer(() => {
      stop.abort(new Fault('timed_out', 'The deadline passed.'));
      return undefined;
    });
    await expect(calls.call({ signal: stop.signal }).readKv('k')).rejects.toThrow(
      'The deadline passed.',
    );
  });

  test('does not wait out the pause before a retry', async () => {
    const stop = new AbortController();
    cloud.answer(() => {
      setImmediate(() => stop.abort());
      return failure;
    });
    await expect(calls.call({ signal: stop.signal }).readKv('k')).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(cloud.asked).toHaveLength(1);
  });

  test('ends in the middle of a body', async () => {
    const stop = new AbortController();
    cloud.answer(() => {
      setTimeout(() => stop.abort(), 20);
      return { status: 200, headers: { 'content-length': '9' }, body: 'begun' };
    });
    const aws = calls.call({ signal: stop.signal });
    await expect(aws.readArtifact('k', 100)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('a client of a tenant', () => {
  test('sends nothing outside a call', async () => {
    cloud.answer(() => failure);
    const { dynamodb } = calls.clients.for(TenantId.parse('acme'));
    const get = new GetItemCommand({
      TableName: names.kvTable,
      Key: { tenant: { S: 'acme' }, sk: { S: 'kv#k' } },
    });
    await expect(dynamodb.send(get)).rejects.toMatchObject({ code: 'internal' });
    expect(cloud.asked).toHaveLength(0);
  });

  test("sends nothing for another tenant's call", async () => {
    const call = {
      tenant: TenantId.parse('globex'),
      user: UserId.parse('eve'),
      sequence: 1,
      attempt: 1,
      deadline: Date.now() + 60_000,
      signal: new AbortController().signal,
      assertLease: () => {},
    };
    const send = leaseGuard(TenantId.parse('acme'))(() => Promise.resolve('sent'));
    await expect(withinLease(call, () => send('request'))).rejects.toMatchObject({
      code: 'internal',
    });
    const own = leaseGuard(call.tenant)(() => Promise.resolve('sent'));
    expect(await withinLease(call, () => own('request'))).toBe('sent');
  });

  test('runs many calls at once without taking one for another', async () => {
    cloud.answer(() => failure);
    const tenants = ['acme', 'globex', 'initech'];
    const over = tenants.map((tenant) => {
      let asked = 0;
      const assertLease = () => {
        asked += 1;
        if (asked > 2) throw new Fault('cancelled', tenant);
      };
      return calls.call({ tenant, assertLease }).readKv('k');
    });
    const ends = await Promise.allSettled(over);
    expect(ends.map((end) => end.status === 'rejected' && String(end.reason.message))).toEqual(
      tenants,
    );
  });
});
