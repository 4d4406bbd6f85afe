/** The tools that a principal may use, in catalog order, as `tools/list` tells them. */
import type { ListToolsResult } from '@modelcontextprotocol/server';
import { mayUse, type Principal } from '../../../shared/tenants/tenant.ts';
import { toListing, type ToolContract } from '../../../shared/tools/contract.ts';

export interface ToolListing {
  listFor(principal: Principal): ListToolsResult;
  /** The same for two principals exactly if they see the same tools. */
  keyFor(principal: Principal): string;
}

/** Each set of permissions has its list made once. */
export function createToolListing(catalog: ReadonlyMap<string, ToolContract>): ToolListing {
  const listed = [...catalog.values()].filter(({ hidden }) => !hidden);
  const all = listed.map((contract) => ({ contract, listing: toListing(contract) }));
  const lists = new Map<string, ListToolsResult>();

  const keyFor = (principal: Principal): string =>
    all.map(({ contract }) => Number(mayUse(principal, contract.permission))).join('');

  return {
    keyFor,
    listFor(principal) {
      const key = keyFor(principal);
      const known = lists.get(key);
      if (known) return known;
      const tools = all.flatMap(({ listing }, index) => (key[index] === '1' ? [listing] : []));
      // eslint-disable-next-line typescript/no-unsafe-type-assertion -- JSON Schemas made by zod from objects
      const list = { tools } as unknown as ListToolsResult;
      lists.set(key, list);
      return list;
    },
  };
}
