/** The conformance fixtures, bound to their contracts. */
import { conformanceContracts } from '../../../../shared/tools/conformance/contracts.ts';
import { implementRaw, type Tool } from '../../implement.ts';
import { askingFixtures } from './asking.ts';
import { contentFixtures } from './content.ts';
import { jobFixtures } from './jobs.ts';
import { offerFixtures } from './offers.ts';

const handlers = { ...contentFixtures, ...askingFixtures, ...jobFixtures, ...offerFixtures };

export const conformanceTools: Readonly<Record<string, Tool>> = Object.fromEntries(
  Object.entries(conformanceContracts).flatMap(([name, contract]) => {
    const handler = handlers[name];
    return handler ? [[name, implementRaw(contract, handler)]] : [];
  }),
);
