/** What was acknowledged is there after kill -9, a torn write, and a compaction. */
import { once } from 'node:events';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as D from '@aws-sdk/client-dynamodb';
import * as S from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { openJournal } from '../../deploy/local/aws/journal.ts';
import { lockDataDir } from '../../deploy/local/aws/data-dir-lock.ts';
import { aDataDir, clientsOf, createTable, refusal, spawnAws, startAws } from './support.ts';

const key = (sk: string) => ({ pk: { S: 'p' }, sk: { S: sk } });

describe('the local AWS', () => {
  test('loses no acknowledged write to kill -9', async () => {
    const dataDir = aDataDir();
    const { child, url } = await spawnAws(dataDir);
    const { dynamodb, s3 } = clientsOf(url);
    await createTable(dynamodb, 'things');
    await s3.send(new S.CreateBucketCommand({ Bucket: 'things' }));

    const acknowledged: string[] = [];
    const objects: string[] = [];
    const enough = Promise.withResolvers<void>();
    const write = async (writer: number) => {
      for (let count = 0; ; count += 1) {
        const id = `${writer}-${count}`;
        const Item = { ...key(id), d: { S: 'x'.repeat(2_000) } };
        await dynamodb.send(new D.PutItemCommand({ TableName: 'things', Item }));
        acknowledged.push(id);
        if (count % 5 === 0) {
          await s3.send(new S.PutObjectCommand({ Bucket: 'things', Key: `${writer}`, Body: id }));
          objects[writer] = id;
        }
        if (acknowledged.length >= 300) enough.resolve();
      }
    };
    const writers = Array.from({ length: 8 }, (_, writer) => write(writer).catch(() => {}));
    await enough.promise;
    child.kill('SIGKILL');
    await once(child, 'exit');
    await Promise.all(writers);

    await using aws = await startAws(dataDir);
    const kept = new Set<string | undefined>();
    const pages = D.paginateScan({ client: aws.dynamodb }, { TableName: 'things' });
    for await (const page of pages) for (const item of page.Items ?? []) kept.add(item['sk']?.S);
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
    for (const [writer, id] of objects.entries()) {
      if (id === undefined) continue;
      const { Body } = await aws.s3.send(
        new S.GetObjectCommand({ Bucket: 'things', Key: `${writer}` }),
      );
      const found = (await Body?.transformToString()) ?? '';
      expect(Number(found.split('-')[1])).toBeGreaterThanOrEqual(Number(id.split('-')[1]));
    }
  });

  test('ends when its parent goes, and when it is asked to', async () => {
    const dataDir = aDataDir();
    for (const stop of ['disconnect', 'SIGTERM'] as const) {
      const { child } = await spawnAws(dataDir);
      const exited = once(child, 'exit');
      if (stop === 'SIGTERM') child.kill(stop);
      else child.disconnect();
      expect(await exited).toEqual([0, null]);
    }
  });

  test('keeps a second process out, and takes over from a dead one', async () => {
    const dataDir = aDataDir();
    const { child } = await spawnAws(dataDir);
    await expect(startAws(dataDir)).rejects.toThrow(`in use by process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await using aws = await startAws(dataDir);
    await refusal(aws.s3.send(new S.HeadBucketCommand({ Bucket: 'none' })), 'NotFound');
  });
});

describe('the lock', () => {
  test('of a process whose number was given to another is stale', () => {
    const dataDir = aDataDir();
    writeFileSync(join(dataDir, 'lock'), `{"pid":${process.pid},"started":"1"}`);
    const unlock = lockDataDir(dataDir);
    expect(() => lockDataDir(dataDir)).toThrow('in use');
    unlock();
    lockDataDir(dataDir)();
  });
});

describe('the journal', () => {
  const text = (stored: unknown) => String(stored);

  test('forgets a torn last line and writes on behind it', async () => {
    const dataDir = aDataDir();
    const first = await openJournal(dataDir);
    first.collection('c', text).set('a', '1');
    await first.close();
    appendFileSync(join(dataDir, 'journal.jsonl'), '[["c","b","2"');
    const second = await openJournal(dataDir);
    expect([...second.collection('c', text).entries()]).toEqual([['a', '1']]);
    second.collection('d', text).set('x', '3');
    await second.close();
    const third = await openJournal(dataDir);
    expect(third.collection('d', text).get('x')).toBe('3');
    await third.close();
  });

  test('refuses to start on a damaged line in the middle', async () => {
    const dataDir = aDataDir();
    writeFileSync(join(dataDir, 'journal.jsonl'), '[["c","a","1"]]\nrubbish\n[["c","b","2"]]\n');
    await expect(openJournal(dataDir)).rejects.toThrow('journal.jsonl:2');
  });

  test('brings the changes of one transaction back together or not at all', async () => {
    const dataDir = aDataDir();
    const journal = await openJournal(dataDir);
    const values = journal.collection('c', text);
    journal.atomically(() => {
      values.set('a', '1');
      values.set('b', '1');
    });
    await journal.close();
    const path = join(dataDir, 'journal.jsonl');
    writeFileSync(path, readFileSync(path).subarray(0, -3));
    const torn = await openJournal(dataDir);
    expect(torn.collection('c', text).size).toBe(0);
    await torn.close();
  });

  test('compacts while it is written to, and loses nothing', async () => {
    const dataDir = aDataDir();
    const journal = await openJournal(dataDir);
    const values = journal.collection('c', text);
    let written = 0;
    for (let round = 0; round < 400; round += 1) {
      for (let index = 0; index < 40; index += 1) {
        const value = `${round}-${'x'.repeat(1_000)}`;
        values.set(String(index), value);
        written += value.length;
      }
      if (round % 7 === 0) values.delete('39');
      await journal.flush();
    }
    const last = [...values.entries()];
    await journal.close();
    expect(statSync(join(dataDir, 'journal.jsonl')).size).toBeLessThan(written / 1.5);
    const again = await openJournal(dataDir);
    expect(Object.fromEntries(again.collection('c', text).entries())).toEqual(
      Object.fromEntries(last),
    );
    await again.close();
  });
});
