/**
 * Changes of many records, each written with the change set that can take it back:
 *
 *     CHANGES        <id>    its head: who, when, what, in how many parts
 *     CHANGE#<id>    0001    the edits of one part
 *
 * A part is one transaction, which holds the edits, their conditions and the item that lists them:
 * the item is there if and only if its records were written. DynamoDB takes a hundred items at once,
 * so that 96 records change all at once or not at all. What is larger takes several parts; if
 * one is refused, those before it are taken back, and if its writer dies, the head tells how many
 * are missing. Items expire after thirty days.
 */
import { randomBytes } from 'node:crypto';
import {
  GetItemCommand,
  paginateQuery,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { z } from 'zod';
import { ChangeHead, Edit, invert, type ChangeSet } from './change-set.ts';
import { changedMeanwhile, toParts, toWrites, type EditWrite } from './edit-writes.ts';
import { fromItem, TenantChanged, toItem, toKey, type Item } from './tenant-items.ts';
import { noteWrite } from './write-notes.ts';

export interface Commit {
  /** Who makes it. */
  readonly by: string;
  readonly what: string;
  /** The change set that this one takes back, which can be done once. */
  readonly undoes?: string;
}

export interface ChangeLog {
  /**
   * Writes the edits, of which there must be one, if every record still is as it was before.
   * @throws {TenantChanged} if not; then none is changed.
   */
  commitChange(edits: readonly Edit[], commit: Commit): Promise<ChangeHead>;
  /** Newest first. */
  listChanges(): AsyncIterable<ChangeHead>;
  readChange(id: string): Promise<ChangeSet | undefined>;
}

const keptSeconds = 30 * 86_400;
/** The others of a hundred list the edits, note them, are the head, and mark what is taken back. */
const mostWrites = 96;
const headsKey = 'CHANGES';
const partsKey = (id: string): string => `CHANGE#${id}`;

export function createChangeLog(ports: {
  readonly dynamo: DynamoDBClient;
  readonly table: string;
}): ChangeLog {
  const { dynamo, table: TableName } = ports;

  async function commitChange(edits: readonly Edit[], commit: Commit): Promise<ChangeHead> {
    const parts = toParts(edits, mostWrites);
    const at = Date.now();
    const tenants = new Set(edits.map(({ tenant }) => tenant)).size;
    const head = { id: newId(at), at, tenants, parts: parts.length, ...commit };
    for (const [index, part] of parts.entries()) {
      try {
        await writePart(head, index, part);
      } catch (thrown) {
        if (index > 0) await takeBack(head, parts.slice(0, index).flat(), thrown);
        throw thrown;
      }
    }
    return head;
  }

  async function writePart(head: ChangeHead, index: number, part: readonly Edit[]): Promise<void> {
    const edits = await toWrites(part, ports);
    const list = toItem(partsKey(head.id), String(index + 1).padStart(4, '0'), part);
    const note = noteWrite(
      TableName,
      part.map(({ tenant }) => tenant),
    );
    const writes = [
      ...edits,
      { about: '', write: { Put: { TableName, Item: expiring(list) } } },
      { about: '', write: note },
    ];
    if (index === 0) {
      const Item = expiring(toItem(headsKey, head.id, head));
      writes.push({ about: '', write: { Put: { TableName, Item } } });
      if (head.undoes !== undefined) writes.push(await markUndone(head.undoes, head.id));
    }
    try {
      const TransactItems = writes.map(({ write }) => write);
      await dynamo.send(new TransactWriteItemsCommand({ TransactItems }));
    } catch (cause) {
      if (!(cause instanceof TransactionCanceledException)) throw cause;
      const reasons = cause.CancellationReasons ?? [];
      const failed = writes.filter((_, at) => reasons[at]?.Code === 'ConditionalCheckFailed');
      if (failed.length === 0) throw cause;
      throw changedMeanwhile(
        failed.map(({ about }) => about),
        cause,
      );
    }
  }

  /** @throws {TenantChanged} always: what had gone wrong, and what has become of the parts before. */
  async function takeBack(head: ChangeHead, done: readonly Edit[], cause: unknown): Promise<never> {
    const why = cause instanceof Error ? cause.message : String(cause);
    const undone = { by: head.by, what: `undo ${head.id}`, undoes: head.id };
    const isBack = await commitChange(invert(done), undone).then(
      () => true,
      () => false,
    );
    const end = isBack
      ? 'What was written before was taken back.'
      : `A part is written: mesh tenants undo ${head.id} takes it back.`;
    throw new TenantChanged(`${why} ${end}`, { cause });
  }

  async function markUndone(id: string, by: string): Promise<EditWrite> {
    const item = await readHead(id);
    const text = item?.['record'];
    if (!text) throw new TenantChanged(`There is no change ${id}.`);
    const head = fromItem(ChangeHead, item);
    if (head.undoneBy !== undefined) {
      throw new TenantChanged(`Change ${id} was undone already, by ${head.undoneBy}.`);
    }
    return {
      about: `change ${id}`,
      write: {
        Update: {
          TableName,
          Key: toKey(headsKey, id),
          UpdateExpression: 'SET #record = :after',
          ConditionExpression: '#record = :before',
          ExpressionAttributeNames: { '#record': 'record' },
          ExpressionAttributeValues: {
            ':before': text,
            ':after': { S: JSON.stringify({ ...head, undoneBy: by }) },
          },
        },
      },
    };
  }

  async function readHead(id: string): Promise<Item | undefined> {
    const Key = toKey(headsKey, id);
    return (await dynamo.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }))).Item;
  }

  async function* query(pk: string, newestFirst = false): AsyncGenerator<Item> {
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName,
        ConsistentRead: true,
        ScanIndexForward: !newestFirst,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: pk } },
      },
    );
    for await (const { Items = [] } of pages) yield* Items;
  }

  return {
    commitChange,

    async *listChanges() {
      for await (const item of query(headsKey, true)) yield fromItem(ChangeHead, item);
    },

    async readChange(id) {
      const item = await readHead(id);
      if (!item) return undefined;
      const edits: Edit[] = [];
      let partsWritten = 0;
      for await (const part of query(partsKey(id))) {
        edits.push(...fromItem(z.array(Edit), part));
        partsWritten += 1;
      }
      return { head: fromItem(ChangeHead, item), edits, partsWritten };
    },
  };
}

/** `20261124-121530-042-3f9a`: sorts by time, to the millisecond. */
function newId(at: number): string {
  const digits = new Date(at).toISOString().replace(/\D/g, '');
  const [, date, time, ms] = /^(\d{8})(\d{6})(\d{3})$/.exec(digits) ?? [];
  return `${date}-${time}-${ms}-${randomBytes(2).toString('hex')}`;
}

function expiring(item: Item): Item {
  return { ...item, expires_at: { N: String(Math.floor(Date.now() / 1_000) + keptSeconds) } };
}
