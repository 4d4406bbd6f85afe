/** No request beyond the tenant's rates: asks the gate before each attempt of each request, retries included. */
import type { TenantId } from '../../ids.ts';
import { guardPlacement, runningCall } from '../lease-guard.ts';
import type { RateGate } from './rate-gate.ts';
import type { AwsRate } from './take-tokens.ts';

/** Before the lease guard, which has the last word: a lease may end while a request waits. */
export const rateGuardPlacement = {
  relation: 'before',
  toMiddleware: guardPlacement.name,
  name: 'rateGuard',
} as const;

const rateByCommand: Readonly<Record<string, AwsRate>> = {
  GetItemCommand: 'dynamodbRead',
  QueryCommand: 'dynamodbRead',
  BatchGetItemCommand: 'dynamodbRead',
  PutItemCommand: 'dynamodbWrite',
  UpdateItemCommand: 'dynamodbWrite',
  DeleteItemCommand: 'dynamodbWrite',
  BatchWriteItemCommand: 'dynamodbWrite',
  GetObjectCommand: 's3Get',
  HeadObjectCommand: 's3Get',
  PutObjectCommand: 's3Put',
  DeleteObjectCommand: 's3Put',
  ListObjectsV2Command: 's3List',
  PutEventsCommand: 'eventbridge',
  GetSecretValueCommand: 'secrets',
  CreateSecretCommand: 'secrets',
  PutSecretValueCommand: 'secrets',
  DeleteSecretCommand: 'secrets',
};

/** The middleware for the clients of one tenant. */
export function rateGuard(tenant: TenantId, gate: RateGate) {
  return <Args, Output>(
    next: (args: Args) => Promise<Output>,
    { commandName = '' }: { readonly commandName?: string },
  ) =>
    async (args: Args): Promise<Output> => {
      const call = runningCall(tenant);
      const rate = rateByCommand[commandName];
      if (rate === undefined) throw new Error(`${commandName} belongs to no rate`);
      await gate.pass(tenant, rate, call.signal, call.deadline);
      return next(args);
    };
}
