/** Resources and prompts of the conformance suite, answered by hidden tools, before the real ones. */
import {
  conformancePrompts,
  conformanceResources,
  conformanceTemplates,
} from '../../../shared/tools/conformance/offers.ts';
import type { Offers } from './offers.ts';

const isFixture = (uri: string): boolean =>
  conformanceResources.some((each) => each.uri === uri) ||
  /^test:\/\/template\/[^/]+\/data$/.test(uri);

export function withConformance(offers: Offers): Offers {
  return {
    ...offers,
    async listResources(principal, cursor, run) {
      const page = await offers.listResources(principal, cursor, run);
      if (cursor !== undefined) return page;
      return { ...page, resources: [...conformanceResources, ...page.resources] };
    },
    listTemplates(principal) {
      const { resourceTemplates } = offers.listTemplates(principal);
      return { resourceTemplates: [...conformanceTemplates, ...resourceTemplates] };
    },
    async readResource(uri, principal, run) {
      if (isFixture(uri)) return run('test_read_resource', { uri });
      return offers.readResource(uri, principal, run);
    },
    mayRead: (uri, principal) => isFixture(uri) || offers.mayRead(uri, principal),
    listPrompts(principal) {
      return { prompts: [...conformancePrompts, ...offers.listPrompts(principal).prompts] };
    },
    async getPrompt(name, input, run) {
      if (conformancePrompts.some((each) => each.name === name)) {
        return run('test_get_prompt', { name, arguments: input });
      }
      return offers.getPrompt(name, input, run);
    },
  };
}
