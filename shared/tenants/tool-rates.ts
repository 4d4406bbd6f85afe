/** Rates of single tools, held against the tools that there are: a misspelt name would limit nothing. */
import { contracts } from '../tools/catalog.ts';
import type { Limits } from './tenant.ts';

/** Says what may be written, for errors. */
export const toolNames = `tools are ${Object.keys(contracts).join(', ')}`;

export function unknownTools({ tools }: Pick<Limits, 'tools'>): readonly string[] {
  return Object.keys(tools).filter((tool) => !Object.hasOwn(contracts, tool));
}
