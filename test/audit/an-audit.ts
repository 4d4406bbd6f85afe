/** An audit with a real Redis and the local AWS, for tests that look at what is kept. */
import { randomBytes } from 'node:crypto';
import {
  DynamoDBClient,
  PutItemCommand,
  DeleteItemCommand,
  GetItemCommand,
} from '@aws-sdk/client-dynamodb';
import { Redis } from 'ioredis';
import type { AwsAccess } from '../../deploy/local/aws-access.ts';
import { createAuditLog } from '../../shared/audit/audit-log.ts';
import { createAudit, type AuditOptions, type AuditRecord } from '../../shared/audit/audit.ts';
import { AuditEntry } from '../../shared/audit/entry.ts';
import { verifyChain } from '../../shared/audit/verify-chain.ts';
import { TenantId } from '../../shared/ids.ts';

const table = 'agent-mesh-audit';

export interface Backends {
  readonly redisUrl: string;
  readonly access: AwsAccess;
}

/** One process' audit, with connections of its own. */
export function openAudit({ redisUrl, access }: Backends, options: Partial<AuditOptions> = {}) {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 0, enableOfflineQueue: true });
  redis.on('error', () => undefined);
  const dynamo = new DynamoDBClient({ ...access, maxAttempts: 1 });
  const problems: string[] = [];
  const log = createAuditLog({ dynamo, table });
  const audit = createAudit(
    {
      name: randomBytes(4).toString('hex'),
      shards: 1,
      retentionDays: 90,
      gatherMs: 20,
      ...options,
    },
    { redis, log, onProblem: (what) => problems.push(what) },
  );
  return {
    audit,
    log,
    redis,
    dynamo,
    problems,
    close: async () => {
      await audit.close();
      redis.disconnect();
      dynamo.destroy();
    },
  };
}
export type OpenAudit = ReturnType<typeof openAudit>;

let tenants = 0;

export function aTenant(): AuditRecord['tenant'] {
  tenants += 1;
  return { id: TenantId.parse(`tenant-${process.pid}-${tenants}`), shard: 0 };
}

export function aCall(tenant: AuditRecord['tenant'], invocation: string): AuditRecord {
  return {
    tenant,
    user: 'ann',
    credential: 'key 0123456789ab',
    action: 'tools/call',
    subject: 'kv_set',
    decision: 'allowed',
    outcome: 'completed',
    invocation,
    ms: 3,
  };
}

export function aRefusal(tenant: AuditRecord['tenant']): AuditRecord {
  return {
    tenant,
    user: 'ann',
    credential: 'key 0123456789ab',
    action: 'tools/call',
    subject: 'kv_set',
    decision: 'refused',
    rule: 'quota_exceeded',
  };
}

export async function entriesOf(
  { log }: Pick<OpenAudit, 'log'>,
  id: TenantId,
): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for await (const page of log.pages(id)) {
    entries.push(...page.entries.map((text) => AuditEntry.parse(JSON.parse(text))));
  }
  return entries;
}

export function verify({ log }: Pick<OpenAudit, 'log'>, id: TenantId, now = Date.now) {
  return verifyChain(id, { log, now });
}

/** Somebody with the right to write to the table changes a page's entries. */
export async function tamper(
  { dynamo }: Pick<OpenAudit, 'dynamo'>,
  id: TenantId,
  firstSeq: number,
  change: (entries: readonly string[]) => readonly string[],
): Promise<void> {
  const Key = keyOf(id, firstSeq);
  const { Item } = await dynamo.send(new GetItemCommand({ TableName: table, Key }));
  const entries = Item?.['entries']?.L?.map(({ S = '' }) => S) ?? [];
  const changed = { ...Item, entries: { L: change(entries).map((S) => ({ S })) } };
  await dynamo.send(new PutItemCommand({ TableName: table, Item: changed }));
}

export async function deletePage(
  { dynamo }: Pick<OpenAudit, 'dynamo'>,
  id: TenantId,
  firstSeq: number,
): Promise<void> {
  await dynamo.send(new DeleteItemCommand({ TableName: table, Key: keyOf(id, firstSeq) }));
}

const keyOf = (id: TenantId, seq: number) => ({
  pk: { S: `AUDIT#${id}` },
  sk: { S: String(seq).padStart(12, '0') },
});
