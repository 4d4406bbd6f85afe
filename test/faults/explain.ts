/** What the processes' logs say of calls that ended in a way which no fault explains to a client. */
import { cp, mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Ended } from './load.ts';

const Line = z.object({
  level: z.enum(['error', 'fatal']),
  time: z.iso.datetime().transform((text) => Date.parse(text)),
  msg: z.string(),
  tenant: z.string().optional(),
  tool: z.string().optional(),
  err: z.object({ type: z.string(), message: z.string(), stack: z.string() }).optional(),
});
type Line = z.output<typeof Line> & { readonly process: string };

/** A process may write a little after it has answered. */
const lateMs = 500;

/** One text for each of them, with every error that was logged while it ran and may be its own. */
export async function explain(inexplicable: readonly Ended[], logDir: string): Promise<string[]> {
  if (inexplicable.length === 0) return [];
  const lines = await readErrors(logDir);
  return inexplicable.map((call) => {
    const own = lines.filter((line) => mayConcern(line, call)).map(describe);
    const why = own.length > 0 ? own : ['no log says why'];
    return [`${call.tenant} ${call.tool}: ${call.outcome}`, ...why].join('\n  ');
  });
}

function mayConcern({ time, tenant, tool }: Line, call: Ended): boolean {
  return (
    time >= call.startedAt &&
    time <= call.endedAt + lateMs &&
    (tenant ?? call.tenant) === call.tenant &&
    (tool ?? call.tool) === call.tool
  );
}

function describe({ process, msg, err }: Line): string {
  if (!err) return `${process}: ${msg}`;
  const places = err.stack.split('\n').filter((line) => /^\s+at /.test(line));
  const place = places.slice(0, 3).map((line) => line.trim());
  return [`${process}: ${msg}: ${err.type}: ${err.message}`, ...place].join(' ');
}

async function readErrors(logDir: string): Promise<Line[]> {
  const files = await readdir(logDir);
  const texts = await Promise.all(
    files.map(async (file) => [file, await readFile(join(logDir, file), 'utf8')] as const),
  );
  return texts.flatMap(([file, text]) =>
    text.split('\n').flatMap((line) => {
      const parsed = Line.safeParse(parse(line));
      return parsed.success ? [{ ...parsed.data, process: file.replace(/\.log$/, '') }] : [];
    }),
  );
}

/** Undefined for what is no line of ours: a crash, or the debugger's word. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Resolves with where they stay after the fleet is gone. */
export async function keepLogs(logDir: string): Promise<string> {
  const kept = await mkdtemp(join(tmpdir(), 'agent-mesh-fault-logs-'));
  await cp(logDir, kept, { recursive: true });
  return kept;
}
