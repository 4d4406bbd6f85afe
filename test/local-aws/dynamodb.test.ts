import * as D from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTable, refusal, startAws } from './support.ts';

const TableName = 'things';
const key = (pk: string, sk: string) => ({ pk: { S: pk }, sk: { S: sk } });

let aws: Awaited<ReturnType<typeof startAws>>;
let client: D.DynamoDBClient;

beforeAll(async () => {
  aws = await startAws();
  client = aws.dynamodb;
  await createTable(client, TableName);
});
afterAll(() => aws[Symbol.asyncDispose]());

const put = (Item: Record<string, D.AttributeValue>, more: Partial<D.PutItemCommandInput> = {}) =>
  client.send(new D.PutItemCommand({ TableName, Item, ...more }));
const get = async (pk: string, sk: string) =>
  (await client.send(new D.GetItemCommand({ TableName, Key: key(pk, sk) }))).Item;
const update = (Key: Record<string, D.AttributeValue>, more: Partial<D.UpdateItemCommandInput>) =>
  client.send(new D.UpdateItemCommand({ TableName, Key, ...more }));
const query = (more: Partial<D.QueryCommandInput>) =>
  client.send(new D.QueryCommand({ TableName, ...more }));

describe('tables', () => {
  test('exist once created', async () => {
    await D.waitUntilTableExists({ client, maxWaitTime: 5, minDelay: 1 }, { TableName });
  });

  test('are created once only', async () => {
    await refusal(createTable(client, TableName), 'ResourceInUseException');
  });

  test('that do not exist are refused', async () => {
    await refusal(
      client.send(new D.GetItemCommand({ TableName: 'nothing', Key: key('a', 'b') })),
      'ResourceNotFoundException',
    );
  });
});

describe('items', () => {
  test('keep every type as it was put', async () => {
    const item = {
      ...key('types', '1'),
      n: { N: '12345678901234567890.5' },
      b: { B: new Uint8Array([1, 2, 255]) },
      yes: { BOOL: true },
      none: { NULL: true },
      m: { M: { x: { L: [{ S: 'a' }, { N: '1' }] } } },
      ss: { SS: ['a', 'b'] },
      ns: { NS: ['1', '2'] },
      bs: { BS: [new Uint8Array([7])] },
      u: { S: 'žluťoučký 🐎' },
    } as Record<string, D.AttributeValue>;
    await put(item);
    expect(await get('types', '1')).toEqual(item);
  });

  test('may bear any attribute name', async () => {
    const item = Object.fromEntries([
      ...Object.entries(key('names', '1')),
      ['__proto__', { S: 'p' }],
      ['constructor', { N: '1' }],
      ['a.b c', { S: 'x' }],
    ]) as Record<string, D.AttributeValue>;
    await put(item);
    const found = (await get('names', '1')) ?? {};
    expect(Object.keys(found).sort()).toEqual(Object.keys(item).sort());
    await refusal(
      put(key('names', '2'), { ConditionExpression: 'attribute_exists(constructor2)' }),
      'ConditionalCheckFailedException',
    );
  });

  test('are measured against 400 KB', async () => {
    const d = { S: 'x'.repeat(409_600) };
    await refusal(put({ ...key('big', '1'), d }), 'ValidationException');
    await put({ ...key('big', '1'), d: { S: 'x'.repeat(409_000) } });
    await refusal(
      update(key('big', '1'), {
        UpdateExpression: 'SET e = :e',
        ExpressionAttributeValues: { ':e': { S: 'x'.repeat(1_000) } },
      }),
      'ValidationException',
    );
  });

  test('need a whole and filled key', async () => {
    await refusal(put({ pk: { S: 'a' } }), 'ValidationException');
    await refusal(put({ ...key('a', ''), v: { S: '' } }), 'ValidationException');
    await refusal(put({ pk: { S: 'a' }, sk: { N: '1' } }), 'ValidationException');
    await refusal(put(key('a', 'x'.repeat(1_025))), 'ValidationException');
    const extra = { ...key('a', 'b'), more: { S: 'x' } };
    await refusal(
      client.send(new D.GetItemCommand({ TableName, Key: extra })),
      'ValidationException',
    );
  });

  test('keep numbers of 38 digits exactly and refuse longer ones', async () => {
    const n = '12345678901234567890123456789012345678';
    await put({ ...key('numbers', '1'), n: { N: n }, one: { N: '1.00' }, e: { N: '1e3' } });
    const found = await get('numbers', '1');
    expect([found?.['n']?.N, found?.['one']?.N, found?.['e']?.N]).toEqual([n, '1', '1000']);
    await refusal(put({ ...key('numbers', '2'), n: { N: `${n}9` } }), 'ValidationException');
    await refusal(put({ ...key('numbers', '2'), n: { N: '1e126' } }), 'ValidationException');
    await refusal(put({ ...key('numbers', '2'), n: { N: 'abc' } }), 'ValidationException');
  });
});

describe('conditions', () => {
  test('let a put through once', async () => {
    const once = () => put(key('once', '1'), { ConditionExpression: 'attribute_not_exists(pk)' });
    await once();
    await refusal(once(), 'ConditionalCheckFailedException');
  });

  test('show the item that failed them, if asked', async () => {
    await put(key('shown', '1'));
    const error = await refusal<D.ConditionalCheckFailedException>(
      put(key('shown', '1'), {
        ConditionExpression: 'attribute_not_exists(pk)',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
      'ConditionalCheckFailedException',
    );
    expect(error.Item?.['sk']?.S).toBe('1');
  });

  test('hold a counter at its limit against parallel calls', async () => {
    await put({ ...key('quota', '1'), held: { N: '0' } });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, () =>
        update(key('quota', '1'), {
          UpdateExpression: 'ADD held :d',
          ConditionExpression: 'held <= :max',
          ExpressionAttributeValues: { ':d': { N: '1' }, ':max': { N: '39' } },
        }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(40);
    expect((await get('quota', '1'))?.['held']?.N).toBe('40');
  });

  test('lock optimistically through the document client', async () => {
    const doc = DynamoDBDocumentClient.from(client, {
      marshallOptions: { removeUndefinedValues: true },
    });
    const Key = { pk: 'lock', sk: '1' };
    await doc.send(
      new PutCommand({ TableName, Item: { ...Key, version: 1, nested: { a: [1, 2] } } }),
    );
    const raise = (version: number) =>
      doc.send(
        new UpdateCommand({
          TableName,
          Key,
          UpdateExpression: 'SET version = :next',
          ConditionExpression: 'version = :now',
          ExpressionAttributeValues: { ':now': version, ':next': version + 1 },
        }),
      );
    await raise(1);
    await refusal(raise(1), 'ConditionalCheckFailedException');
    const { Item } = await doc.send(new GetCommand({ TableName, Key }));
    expect(Item).toEqual({ ...Key, version: 2, nested: { a: [1, 2] } });
  });

  const item = {
    n: { N: '5' },
    s: { S: 'abcdef' },
    l: { L: [{ S: 'x' }, { M: { deep: { N: '1' } } }] },
    ss: { SS: ['a', 'b'] },
    m: { M: { a: { S: '1' } } },
  };
  const values = {
    ':5': { N: '5' },
    ':1': { N: '1' },
    ':9': { N: '9' },
    ':abc': { S: 'abc' },
    ':x': { S: 'x' },
    ':a': { S: 'a' },
    ':S': { S: 'S' },
  };
  test.each([
    ['n = :5', true],
    ['n <> :5', false],
    ['n > :1 AND n < :9', true],
    ['n BETWEEN :1 AND :9', true],
    ['n BETWEEN :1 AND :1', false],
    ['n IN (:1, :5)', true],
    ['NOT n IN (:1, :9)', true],
    ['n = :1 OR n = :9 OR (n = :5 AND NOT s = :abc)', true],
    ['begins_with(s, :abc)', true],
    ['contains(s, :abc)', true],
    ['contains(ss, :a)', true],
    ['contains(ss, :x)', false],
    ['contains(l, :x)', true],
    ['l[1].deep = :1', true],
    ['attribute_exists(m.a) AND attribute_not_exists(m.b)', true],
    ['attribute_type(s, :S)', true],
    ['size(s) > :5', true],
    ['size(ss) = :5', false],
    ['absent = :5', false],
    ['absent <> :5', true],
    ['s > :5', false],
  ])('%s is %s', async (ConditionExpression, expected) => {
    await put({ ...key('conditions', '1'), ...item });
    const used = Object.entries(values).filter(([name]) =>
      new RegExp(`${name}\\b`).test(ConditionExpression),
    );
    const deed = client.send(
      new D.DeleteItemCommand({
        TableName,
        Key: key('conditions', '1'),
        ConditionExpression,
        ...(used.length > 0 ? { ExpressionAttributeValues: Object.fromEntries(used) } : {}),
      }),
    );
    if (expected) await deed;
    else await refusal(deed, 'ConditionalCheckFailedException');
  });

  test.each([
    ['reserved words', 'status = :v'],
    ['unknown functions', 'begin_with(a, :v)'],
    ['half sentences', 'a ='],
    ['trailing words', 'a = :v b'],
    ['odd characters', 'a ! :v'],
    ['missing values', 'a = :v AND b = :missing'],
    ['missing names', 'a = :v AND #b = :v'],
  ])('refuse %s', async (_, ConditionExpression) => {
    await refusal(
      put(key('bad', '1'), {
        ConditionExpression,
        ExpressionAttributeValues: { ':v': { S: 'x' } },
      }),
      'ValidationException',
    );
  });
});

describe('updates', () => {
  test('set, add, remove, append and count from nothing', async () => {
    const { Attributes } = await update(key('update', '1'), {
      UpdateExpression:
        'SET #l = list_append(if_not_exists(#l, :e), :v), #n = if_not_exists(#n, :z) + :one ADD cnt :one REMOVE gone',
      ExpressionAttributeNames: { '#l': 'list', '#n': 'num' },
      ExpressionAttributeValues: {
        ':e': { L: [] },
        ':v': { L: [{ S: 'x' }] },
        ':z': { N: '0' },
        ':one': { N: '1' },
      },
      ReturnValues: 'ALL_NEW',
    });
    expect(Attributes).toEqual({
      ...key('update', '1'),
      list: { L: [{ S: 'x' }] },
      num: { N: '1' },
      cnt: { N: '1' },
    });
  });

  test('read every value from the item as it was', async () => {
    await put({ ...key('update', 'swap'), a: { S: '1' }, b: { S: '2' } });
    await update(key('update', 'swap'), { UpdateExpression: 'SET a = b, b = a' });
    expect(await get('update', 'swap')).toMatchObject({ a: { S: '2' }, b: { S: '1' } });
  });

  test('reach into maps and lists, and close gaps', async () => {
    const l = { L: ['a', 'b', 'c', 'd'].map((S) => ({ S })) };
    await put({ ...key('update', 'nested'), l, m: { M: { in: { M: { x: { N: '1' } } } } } });
    const { Attributes } = await update(key('update', 'nested'), {
      UpdateExpression: 'SET m.#in.x = m.#in.x - :3, m.fresh = :s REMOVE l[0], l[2]',
      ExpressionAttributeNames: { '#in': 'in' },
      ExpressionAttributeValues: { ':3': { N: '3.5' }, ':s': { S: 'new' } },
      ReturnValues: 'ALL_NEW',
    });
    expect(Attributes).toMatchObject({
      l: { L: [{ S: 'b' }, { S: 'd' }] },
      m: { M: { in: { M: { x: { N: '-2.5' } } }, fresh: { S: 'new' } } },
    });
  });

  test('add to sets and take from them, to the last element', async () => {
    const change = (UpdateExpression: string, ...SS: string[]) =>
      update(key('update', 'set'), {
        UpdateExpression,
        ExpressionAttributeValues: { ':s': { SS } },
        ReturnValues: 'ALL_NEW',
      });
    await change('ADD tags :s', 'a', 'b');
    expect((await change('ADD tags :s', 'b', 'c')).Attributes?.['tags']?.SS).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect((await change('DELETE tags :s', 'a', 'x')).Attributes?.['tags']?.SS).toEqual(['b', 'c']);
    expect((await change('DELETE tags :s', 'b', 'c')).Attributes?.['tags']).toBeUndefined();
  });

  test('return old and new values of what they touched', async () => {
    await put({ ...key('update', 'return'), a: { N: '1' }, b: { N: '1' } });
    const add = (ReturnValues: D.ReturnValue) =>
      update(key('update', 'return'), {
        UpdateExpression: 'ADD a :1',
        ExpressionAttributeValues: { ':1': { N: '1' } },
        ReturnValues,
      });
    expect((await add('UPDATED_OLD')).Attributes).toEqual({ a: { N: '1' } });
    expect((await add('UPDATED_NEW')).Attributes).toEqual({ a: { N: '3' } });
    expect((await add('ALL_OLD')).Attributes?.['a']).toEqual({ N: '3' });
    expect((await add('NONE')).Attributes).toBeUndefined();
  });

  test.each([
    ['overlapping paths', 'SET a = :v, a.b = :v'],
    ['the key', 'SET sk = :v'],
    ['two SET sections', 'SET a = :v SET b = :v'],
    ['paths into nothing', 'SET nothing.here = :v'],
    ['adding text', 'ADD a :v'],
    ['values of missing attributes', 'SET a = nothing, b = :v'],
  ])('refuse %s', async (_, UpdateExpression) => {
    await refusal(
      update(key('update', 'refused'), {
        UpdateExpression,
        ExpressionAttributeValues: { ':v': { S: 'x' } },
      }),
      'ValidationException',
    );
  });

  test('delete with a condition and return what was there', async () => {
    await put(key('delete', '1'));
    const { Attributes } = await client.send(
      new D.DeleteItemCommand({
        TableName,
        Key: key('delete', '1'),
        ConditionExpression: 'attribute_exists(pk)',
        ReturnValues: 'ALL_OLD',
      }),
    );
    expect(Attributes?.['sk']?.S).toBe('1');
    expect(await get('delete', '1')).toBeUndefined();
  });
});

describe('queries', () => {
  const ids = Array.from({ length: 25 }, (_, index) => `S#${String(index).padStart(3, '0')}`);
  const now = Math.floor(Date.now() / 1_000);

  beforeAll(async () => {
    const requests = ids.map((id, index) => ({
      PutRequest: {
        Item: {
          ...key('list', id),
          expires: { N: String(now + (index % 2 ? -1_000 : 1_000)) },
          gsi1pk: { S: `G${index % 3}` },
        },
      },
    }));
    await client.send(new D.BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }));
    await put(key('list', 'other'));
  });

  const ofList = {
    KeyConditionExpression: 'pk = :p AND begins_with(sk, :s)',
    ExpressionAttributeValues: { ':p': { S: 'list' }, ':s': { S: 'S#' } },
  };

  test('page through a prefix in both directions', async () => {
    for (const ScanIndexForward of [true, false]) {
      const found: (string | undefined)[] = [];
      const pages = D.paginateQuery(
        { client, pageSize: 10 },
        { TableName, ...ofList, ScanIndexForward },
      );
      for await (const page of pages)
        found.push(...(page.Items ?? []).map((item) => item['sk']?.S));
      expect(found).toEqual(ScanIndexForward ? ids : ids.toReversed());
    }
  });

  test('order sort keys by UTF-8 bytes', async () => {
    const keys = ['Z', 'a', 'é', '\uffee', '🐎'];
    for (const sk of keys.toReversed()) await put(key('order', sk));
    const { Items } = await query({
      KeyConditionExpression: 'pk = :p',
      ExpressionAttributeValues: { ':p': { S: 'order' } },
    });
    expect(Items?.map((item) => item['sk']?.S)).toEqual(keys);
  });

  test('select by ranges of the sort key', async () => {
    const count = async (range: string, more = {}) => {
      const { Count } = await query({
        KeyConditionExpression: `pk = :p AND ${range}`,
        ExpressionAttributeValues: { ':p': { S: 'list' }, ':s': { S: 'S#010' }, ...more },
      });
      return Count;
    };
    expect(await count('sk = :s')).toBe(1);
    expect(await count('sk < :s')).toBe(10);
    expect(await count('sk >= :s')).toBe(16);
    expect(await count('sk BETWEEN :s AND :t', { ':t': { S: 'S#012' } })).toBe(3);
  });

  test('use an index', async () => {
    const { Items } = await query({
      IndexName: 'gsi1',
      KeyConditionExpression: 'gsi1pk = :g',
      ExpressionAttributeValues: { ':g': { S: 'G1' } },
    });
    expect(Items?.map((item) => item['sk']?.S)).toEqual(ids.filter((_, index) => index % 3 === 1));
  });

  test('filter after reading', async () => {
    const { Count, ScannedCount } = await query({
      ...ofList,
      FilterExpression: 'attribute_not_exists(#t) OR #t > :now',
      ExpressionAttributeNames: { '#t': 'expires' },
      ExpressionAttributeValues: {
        ...ofList.ExpressionAttributeValues,
        ':now': { N: String(now) },
      },
    });
    expect([Count, ScannedCount]).toEqual([13, 25]);
  });

  test('project, and count without items', async () => {
    const { Items } = await query({ ...ofList, ProjectionExpression: 'sk', Limit: 1 });
    expect(Items).toEqual([{ sk: { S: 'S#000' } }]);
    const { Count, Items: none } = await query({ ...ofList, Select: 'COUNT' });
    expect([Count, none]).toEqual([25, undefined]);
  });

  test('read at most a megabyte a page', async () => {
    for (const sk of ['1', '2', '3', '4'])
      await put({ ...key('mb', sk), d: { S: 'x'.repeat(350_000) } });
    const first = await query({
      KeyConditionExpression: 'pk = :p',
      ExpressionAttributeValues: { ':p': { S: 'mb' } },
    });
    expect([first.Count, first.LastEvaluatedKey?.['sk']?.S]).toEqual([3, '3']);
  });

  test('refuse unused placeholders and other attributes than the key', async () => {
    const ExpressionAttributeValues = { ':p': { S: 'a' } };
    await refusal(
      query({
        KeyConditionExpression: 'pk = :p',
        ExpressionAttributeNames: { '#unused': 'x' },
        ExpressionAttributeValues,
      }),
      'ValidationException',
    );
    await refusal(
      query({ KeyConditionExpression: 'other = :p', ExpressionAttributeValues }),
      'ValidationException',
    );
  });

  test('scan the table in segments and pages', async () => {
    const found = new Set<string>();
    for (const Segment of [0, 1, 2]) {
      const pages = D.paginateScan(
        { client, pageSize: 4 },
        { TableName, Segment, TotalSegments: 3 },
      );
      for await (const page of pages) {
        for (const item of page.Items ?? []) {
          const id = `${item['pk']?.S}/${item['sk']?.S}`;
          expect(found).not.toContain(id);
          found.add(id);
        }
      }
    }
    for (const id of ids) expect(found).toContain(`list/${id}`);
  });
});

describe('batches', () => {
  test('write up to 25 items and read up to 100', async () => {
    const keys = Array.from({ length: 25 }, (_, index) => key('batch', `${index}-`));
    const requests = keys.map((Item) => ({ PutRequest: { Item } }));
    await client.send(new D.BatchWriteItemCommand({ RequestItems: { [TableName]: requests } }));
    const { Responses } = await client.send(
      new D.BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: keys } } }),
    );
    expect(Responses?.[TableName]).toHaveLength(25);
    await client.send(
      new D.BatchWriteItemCommand({
        RequestItems: { [TableName]: keys.map((Key) => ({ DeleteRequest: { Key } })) },
      }),
    );
    expect(await get('batch', '0-')).toBeUndefined();
  });

  test('refuse a 26th write and a key named twice', async () => {
    const write = (...sks: string[]) =>
      client.send(
        new D.BatchWriteItemCommand({
          RequestItems: {
            [TableName]: sks.map((sk) => ({ PutRequest: { Item: key('batch', sk) } })),
          },
        }),
      );
    await refusal(
      write(...Array.from({ length: 26 }, (_, index) => `${index}x`)),
      'ValidationException',
    );
    await refusal(write('same', 'same'), 'ValidationException');
  });
});

describe('transactions', () => {
  const addUsed = (sk: string) => ({
    Update: {
      TableName,
      Key: key('tx', sk),
      UpdateExpression: 'ADD used :b',
      ExpressionAttributeValues: { ':b': { N: '10' } },
    },
  });
  const putOnce = (sk: string) => ({
    Put: { TableName, Item: key('tx', sk), ConditionExpression: 'attribute_not_exists(pk)' },
  });
  const transact = (TransactItems: D.TransactWriteItem[], ClientRequestToken?: string) =>
    client.send(new D.TransactWriteItemsCommand({ TransactItems, ClientRequestToken }));

  test('apply whole, or not at all with reasons', async () => {
    await transact([putOnce('o1'), addUsed('usage')]);
    const error = await refusal<D.TransactionCanceledException>(
      transact([addUsed('usage'), putOnce('o1')]),
      'TransactionCanceledException',
    );
    expect(error.CancellationReasons?.map(({ Code }) => Code)).toEqual([
      'None',
      'ConditionalCheckFailed',
    ]);
    expect((await get('tx', 'usage'))?.['used']?.N).toBe('10');
  });

  test('check items that they do not write', async () => {
    const check = (sk: string) => ({
      ConditionCheck: {
        TableName,
        Key: key('tx', sk),
        ConditionExpression: 'attribute_exists(pk)',
      },
    });
    await transact([putOnce('checked')]);
    await transact([check('checked'), addUsed('other')]);
    await refusal(transact([check('absent'), addUsed('other')]), 'TransactionCanceledException');
    expect((await get('tx', 'other'))?.['used']?.N).toBe('10');
  });

  test('apply once for one token', async () => {
    await transact([addUsed('idem')], 'token-1');
    await transact([addUsed('idem')], 'token-1');
    expect((await get('tx', 'idem'))?.['used']?.N).toBe('10');
    await refusal(transact([addUsed('idem2')], 'token-1'), 'IdempotentParameterMismatchException');
  });

  test('read several items', async () => {
    await put(key('tx', 'there'));
    const { Responses } = await client.send(
      new D.TransactGetItemsCommand({
        TransactItems: ['there', 'nowhere'].map((sk) => ({
          Get: { TableName, Key: key('tx', sk) },
        })),
      }),
    );
    expect(Responses?.map(({ Item }) => Item?.['sk']?.S)).toEqual(['there', undefined]);
  });
});

describe('time to live', () => {
  test('takes expired items away within seconds', async () => {
    const name = 'expiring';
    await createTable(client, name);
    const spec = { AttributeName: 'expires', Enabled: true };
    await client.send(
      new D.UpdateTimeToLiveCommand({ TableName: name, TimeToLiveSpecification: spec }),
    );
    const { TimeToLiveDescription } = await client.send(
      new D.DescribeTimeToLiveCommand({ TableName: name }),
    );
    expect(TimeToLiveDescription).toEqual({
      TimeToLiveStatus: 'ENABLED',
      AttributeName: 'expires',
    });
    const now = Math.floor(Date.now() / 1_000);
    for (const [sk, expires] of [
      ['old', now - 10],
      ['new', now + 1_000],
    ] as const) {
      const Item = { ...key('ttl', sk), expires: { N: String(expires) } };
      await client.send(new D.PutItemCommand({ TableName: name, Item }));
    }
    const left = async () => {
      const { Items } = await client.send(new D.ScanCommand({ TableName: name }));
      return Items?.map((item) => item['sk']?.S);
    };
    await expect.poll(left, { timeout: 10_000, interval: 250 }).toEqual(['new']);
  });
});

test('refuses operations it does not have, by name', async () => {
  const error = await refusal(
    client.send(new D.ExecuteStatementCommand({ Statement: 'SELECT * FROM things' })),
    'UnknownOperationException',
  );
  expect(error.message).toContain('ExecuteStatement');
});

test('refuses parameters it does not know, by name', async () => {
  const error = await refusal(
    put(key('legacy', '1'), { Expected: { pk: { Exists: false } } }),
    'ValidationException',
  );
  expect(error.message).toContain('Expected');
});
