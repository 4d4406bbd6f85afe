/**
 * What the tenant has stored as resources, and prompts that teach the tools' use. Everything is
 * read through the queue, by the same tools and under the same permissions as any call.
 */
import { z } from 'zod';
import type { ToolContract } from '../../../shared/tools/contract.ts';
import { mayUse, type Principal } from '../../../shared/tenants/tenant.ts';
import {
  parseUri,
  resourceKinds,
  toUri,
  type ResourceKind,
} from '../../../shared/resources/uris.ts';
import { getMeshPrompt, meshPrompts } from './mesh-prompts.ts';
import type { Offers, Run } from './offers.ts';

const Cursor = z.object({ kind: z.enum(resourceKinds), after: z.string().optional() });
type Cursor = z.output<typeof Cursor>;

const Keys = z.object({ keys: z.array(z.string()) });
const KvPage = z.object({
  keys: z.array(z.object({ key: z.string() })),
  cursor: z.string().optional(),
});
const Value = z.object({ value: z.string().nullable() });
const Content = z.object({ content: z.string().nullable() });

const readers: Readonly<Record<ResourceKind, string>> = {
  artifacts: 'artifacts_get',
  kv: 'kv_get',
};
const listers: Readonly<Record<ResourceKind, string>> = {
  artifacts: 'artifacts_list',
  kv: 'kv_list',
};
const descriptions: Readonly<Record<ResourceKind, string>> = {
  artifacts: 'A stored artifact',
  kv: 'A value of the key-value store',
};

const pageLength = 100;
/** As many as a completion may have by the protocol. */
const maxCompletions = 100;

export function createMeshOffers(catalog: ReadonlyMap<string, ToolContract>): Offers {
  const may = (principal: Principal, tool: string): boolean => {
    const contract = catalog.get(tool);
    return contract !== undefined && mayUse(principal, contract.permission);
  };

  return {
    async listResources(principal, cursor, run) {
      const kinds = resourceKinds.filter((kind) => may(principal, listers[kind]));
      const from = cursor === undefined ? { kind: kinds[0] } : parseCursor(cursor);
      const kind = kinds.find((each) => each === from.kind);
      if (kind === undefined) return { resources: [] };
      const { keys, after } = await listKeys(kind, '', from.after, run);
      const following = kinds[kinds.indexOf(kind) + 1];
      const next = after === undefined ? following && { kind: following } : { kind, after };
      return {
        resources: keys.map((key) => ({ uri: toUri({ kind, key }), name: key })),
        ...(next && { nextCursor: Buffer.from(JSON.stringify(next)).toString('base64url') }),
      };
    },
    listTemplates: (principal) => ({
      resourceTemplates: resourceKinds
        .filter((kind) => may(principal, readers[kind]))
        .map((kind) => ({
          uriTemplate: `mesh://${kind}/{key}`,
          name: kind,
          description: descriptions[kind],
        })),
    }),
    async readResource(uri, principal, run) {
      const name = parseUri(uri);
      if (!name || !may(principal, readers[name.kind])) return undefined;
      const { structuredContent } = await run(readers[name.kind], { key: name.key });
      const contents = toContents(name.kind, structuredContent);
      return contents && { contents: [{ uri, ...contents }] };
    },
    mayRead(uri, principal) {
      const name = parseUri(uri);
      return name !== undefined && may(principal, readers[name.kind]);
    },
    listPrompts: () => ({ prompts: [...meshPrompts] }),
    getPrompt: async (name, input) => getMeshPrompt(name, input),
    async complete({ uri, prompt }, { name, value }, principal, run) {
      const kind = uri === undefined ? kindOfArgument(prompt, name) : kindOfTemplate(uri);
      if (kind === undefined || name !== 'key' || !may(principal, listers[kind])) return [];
      const { keys } = await listKeys(kind, value, undefined, run);
      return keys.slice(0, maxCompletions);
    },
  };
}

const kindOfTemplate = (uri: string): ResourceKind | undefined =>
  resourceKinds.find((kind) => uri === `mesh://${kind}/{key}`);

function kindOfArgument(prompt: string | undefined, argument: string): ResourceKind | undefined {
  const found = meshPrompts.find((each) => each.name === prompt);
  return found?.arguments.some((each) => each.name === argument) ? found.keys : undefined;
}

function parseCursor(text: string): Partial<Cursor> {
  try {
    return Cursor.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  } catch {
    return {};
  }
}

async function listKeys(
  kind: ResourceKind,
  prefix: string,
  after: string | undefined,
  run: Run,
): Promise<{ readonly keys: readonly string[]; readonly after: string | undefined }> {
  if (kind === 'kv') {
    const input = { prefix, limit: pageLength, ...(after !== undefined && { cursor: after }) };
    const page = KvPage.parse((await run(listers.kv, input))['structuredContent']);
    return { keys: page.keys.map(({ key }) => key), after: page.cursor };
  }
  // The tool lists everything; the page is cut here, after the last key of the one before.
  const { keys } = Keys.parse(
    (await run(listers.artifacts, prefix === '' ? {} : { prefix }))['structuredContent'],
  );
  const start = after === undefined ? 0 : keys.indexOf(after) + 1;
  const page = keys.slice(start, start + pageLength);
  return { keys: page, after: start + pageLength < keys.length ? page.at(-1) : undefined };
}

function toContents(kind: ResourceKind, output: unknown): object | undefined {
  if (kind === 'kv') {
    const { value } = Value.parse(output);
    return value === null ? undefined : { mimeType: 'text/plain', text: value };
  }
  const { content } = Content.parse(output);
  return content === null ? undefined : { mimeType: 'application/octet-stream', blob: content };
}
