/** What dead letters must know of tools: what not to show, and how long a replay may take. */
import { contracts } from '../tools/catalog.ts';
import type { ToolContract } from '../tools/contract.ts';

const byName: ReadonlyMap<string, ToolContract> = new Map(Object.entries(contracts));

/** The names of arguments that nobody may see; undefined for a tool that this build does not know. */
export function sensitiveOf(tool: string): readonly string[] | undefined {
  const contract = byName.get(tool);
  return contract && (contract.sensitive ?? []);
}

/** Nobody waits for a replay; this is what a call usually has. */
const usualTimeoutMs = 50_000;

/** In ms, queue included. */
export function timeoutOf(tool: string): number {
  return byName.get(tool)?.timeoutMs ?? usualTimeoutMs;
}
