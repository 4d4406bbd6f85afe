/**
 * The durable store: collections of JSON values in memory, every change appended to one file.
 * A line holds the records of one atomic change, each `[collection, key, value]`, or
 * `[collection, key]` for a removal. Changes wait together for one write (group commit).
 *
 * An acknowledged change survives the death of the process: the kernel has it once the write
 * returns. It is not fsynced, so a power failure can take the last moments.
 */
import { closeSync, existsSync, openSync, readSync, rmSync, truncateSync } from 'node:fs';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

export interface Collection<T> {
  readonly size: number;
  get(key: string): T | undefined;
  has(key: string): boolean;
  keys(): IterableIterator<string>;
  values(): IterableIterator<T>;
  entries(): IterableIterator<[string, T]>;
  set(key: string, value: T): void;
  delete(key: string): void;
  clear(): void;
}

export interface Journal {
  /** `revive` checks what was read back from disk. Ask once per name. */
  collection<T>(name: string, revive: (stored: unknown) => T): Collection<T>;
  /** Changes made inside come back after a crash all together or not at all. */
  atomically<T>(change: () => T): T;
  /** Resolves once every change so far is on file. Rejects for good after a failed write. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

type Line = (readonly [string, string] | readonly [string, string, unknown])[];

/** Smaller journals are not worth compacting. */
const compactFromBytes = 8_388_608;
const snapshotSliceBytes = 1_048_576;

/** The directory exists, and is this process's alone. */
export async function openJournal(dataDir: string): Promise<Journal> {
  const path = join(dataDir, 'journal.jsonl');
  const draft = `${path}.new`;
  rmSync(draft, { force: true });

  const state = new Map<string, Map<string, unknown>>();
  let bytes = replay(path, state);
  let file = await openToAppend(path);
  let compactedBytes = 0;

  let pending: string[] = [];
  /** Changes made while a snapshot is being taken; they follow it in the new file. */
  let sinceSnapshot: string[] | undefined;
  let batch: Line | undefined;
  let writing: Promise<void> = Promise.resolve();
  let scheduled: Promise<void> | undefined;
  let failure: Error | undefined;

  if (bytes >= compactFromBytes / 8) await compact();
  else compactedBytes = bytes;

  return { collection, atomically, flush, close };

  function collection<T>(name: string, revive: (stored: unknown) => T): Collection<T> {
    const values = new Map<string, T>();
    for (const [key, stored] of state.get(name) ?? []) values.set(key, revive(stored));
    state.set(name, values);
    return {
      get size() {
        return values.size;
      },
      get: (key) => values.get(key),
      has: (key) => values.has(key),
      keys: () => values.keys(),
      values: () => values.values(),
      entries: () => values.entries(),
      set(key, value) {
        values.set(key, value);
        append([name, key, value]);
      },
      delete(key) {
        if (values.delete(key)) append([name, key]);
      },
      clear() {
        for (const key of values.keys()) append([name, key]);
        values.clear();
      },
    };
  }

  function atomically<T>(change: () => T): T {
    if (batch) return change();
    const records: Line = [];
    batch = records;
    try {
      return change();
    } finally {
      batch = undefined;
      if (records.length > 0) appendLine(records);
    }
  }

  function append(record: Line[number]): void {
    if (batch) batch.push(record);
    else appendLine([record]);
  }

  function appendLine(records: Line): void {
    const line = `${JSON.stringify(records)}\n`;
    pending.push(line);
    sinceSnapshot?.push(line);
  }

  function flush(): Promise<void> {
    if (failure) return Promise.reject(failure);
    if (pending.length === 0) return scheduled ?? writing;
    scheduled ??= writing.then(async () => {
      // One turn of the event loop lets other requests join this write.
      await new Promise((resolve) => setImmediate(resolve));
      scheduled = undefined;
      writing = write();
      return writing;
    });
    return scheduled;
  }

  async function write(): Promise<void> {
    const text = pending.join('');
    pending = [];
    try {
      await file.appendFile(text);
      bytes += Buffer.byteLength(text);
      if (bytes > compactFromBytes && bytes > 4 * compactedBytes) await compact();
    } catch (cause) {
      failure = new Error('The journal cannot be written', { cause });
      throw failure;
    }
  }

  /**
   * Writes what is alive to a new file while changes go on: each record says the whole value of
   * its key, so replaying what came since the start over a blurred snapshot gives the present state.
   */
  async function compact(): Promise<void> {
    sinceSnapshot = [];
    const next = await openToAppend(draft);
    let size = 0;
    const put = async (text: string) => {
      await next.appendFile(text);
      size += Buffer.byteLength(text);
    };
    for (const [name, values] of state) {
      let slice = '';
      for (const [key, value] of values) {
        slice += `${JSON.stringify([[name, key, value]])}\n`;
        if (slice.length < snapshotSliceBytes) continue;
        await put(slice);
        slice = '';
      }
      if (slice !== '') await put(slice);
    }
    while (sinceSnapshot.length > 0) {
      const lines = sinceSnapshot;
      sinceSnapshot = [];
      await put(lines.join(''));
    }
    await rename(draft, path);
    const previous = file;
    file = next;
    // The new file has all of the pending lines but those of the last moment.
    pending = sinceSnapshot;
    sinceSnapshot = undefined;
    bytes = size;
    compactedBytes = size;
    await previous.close();
  }

  async function close(): Promise<void> {
    try {
      await flush();
    } finally {
      await file.close();
    }
  }
}

function openToAppend(path: string): Promise<FileHandle> {
  return open(path, 'a', 0o600);
}

/**
 * Reads the journal into `state` and returns its length in bytes. A torn last line was never
 * acknowledged: it is cut off, so that the next line does not grow onto it.
 * @throws on a damaged line anywhere else.
 */
function replay(path: string, state: Map<string, Map<string, unknown>>): number {
  if (!existsSync(path)) return 0;
  let length = 0;
  let lineNumber = 0;
  for (const line of linesOf(path)) {
    lineNumber += 1;
    for (const record of parseLine(line.toString('utf8'), `${path}:${lineNumber}`)) {
      const [name, key] = record;
      let values = state.get(name);
      if (!values) state.set(name, (values = new Map<string, unknown>()));
      if (record.length === 3) values.set(key, record[2]);
      else values.delete(key);
    }
    length += line.byteLength + 1;
  }
  truncateSync(path, length);
  return length;
}

function parseLine(text: string, where: string): Line {
  try {
    const line: unknown = JSON.parse(text);
    if (!Array.isArray(line)) throw new Error('not a list of records');
    return line.map((record: unknown) => {
      if (!Array.isArray(record)) throw new Error('not a record');
      const [name, key]: unknown[] = record;
      if (typeof name !== 'string' || typeof key !== 'string') throw new Error('not a record');
      const value: unknown = record[2];
      return record.length === 3 ? [name, key, value] : [name, key];
    });
  } catch (cause) {
    throw new Error(`Damaged journal at ${where}`, { cause });
  }
}

/** Whole lines only, without their newline: what follows the last newline is a torn write. */
function* linesOf(path: string): Generator<Buffer> {
  const descriptor = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(1_048_576);
    let parts: Buffer[] = [];
    for (;;) {
      const count = readSync(descriptor, chunk, 0, chunk.byteLength, null);
      if (count === 0) return;
      let start = 0;
      for (;;) {
        const end = chunk.subarray(0, count).indexOf(0x0a, start);
        if (end < 0) break;
        parts.push(Buffer.from(chunk.subarray(start, end)));
        yield Buffer.concat(parts);
        parts = [];
        start = end + 1;
      }
      parts.push(Buffer.from(chunk.subarray(start, count)));
    }
  } finally {
    closeSync(descriptor);
  }
}
