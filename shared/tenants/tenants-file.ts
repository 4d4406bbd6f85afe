/**
 * The tenants file: YAML in, declared tenants out. A file is taken whole or refused whole, with
 * every problem named by line and field.
 */
import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { Limits, Tenant, User } from './tenant.ts';
import { toolNames, unknownTools } from './tool-rates.ts';

const DeclaredTenant = Tenant.omit({ shard: true, version: true, name: true })
  .extend({
    name: Tenant.shape.name.optional(),
    limits: Limits.prefault({}),
    users: z.array(User).default([]),
  })
  .transform((tenant) => ({ ...tenant, name: tenant.name ?? tenant.id }));

/** A tenant as a file declares it, every default filled in. */
export type DeclaredTenant = z.output<typeof DeclaredTenant>;

const TenantsFile = z.strictObject(
  { tenants: z.array(DeclaredTenant, 'must be a list of tenants') },
  'must hold a list of tenants under "tenants:"',
);

type Path = readonly PropertyKey[];

/** Its message has one line per problem: `line 4, tenants[0].limits.backlog: expected number`. */
export class TenantsFileError extends Error {
  override readonly name = 'TenantsFileError';
}

/** @throws {TenantsFileError} */
export function parseTenantsFile(text: string): readonly DeclaredTenant[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  refuse(document.errors.map(({ pos, message }) => `line ${lineAt(pos[0])}: ${message}`));

  const parsed = TenantsFile.safeParse(toPlain(document));
  const locate = (path: Path, key?: string): string => {
    const field = [...path, ...(key === undefined ? [] : [key])];
    const line = `line ${lineAt(offsetOf(document, path, key))}`;
    return field.length === 0 ? line : `${line}, ${toText(field)}`;
  };
  if (!parsed.success) {
    refuse(parsed.error.issues.flatMap((issue) => describe(issue, locate)));
    throw parsed.error;
  }
  refuse([...repeats(parsed.data.tenants, locate), ...strangeTools(parsed.data.tenants, locate)]);
  return parsed.data.tenants;
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new TenantsFileError(problems.join('\n'));
}

function toPlain(document: Document): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw new TenantsFileError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function describe(
  issue: z.core.$ZodIssue,
  locate: (path: Path, key?: string) => string,
): readonly string[] {
  return issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => `${locate(issue.path, key)}: no such field`)
    : [`${locate(issue.path)}: ${issue.message}`];
}

function repeats(
  tenants: readonly DeclaredTenant[],
  locate: (path: Path) => string,
): readonly string[] {
  const seen = new Set<string>();
  const problems: string[] = [];
  const check = (id: string, path: Path): void => {
    if (seen.has(id)) problems.push(`${locate(path)}: declared twice`);
    seen.add(id);
  };
  for (const [t, tenant] of tenants.entries()) {
    check(tenant.id, ['tenants', t, 'id']);
    for (const [u, user] of tenant.users.entries()) {
      // A space is in no id.
      check(`${t} ${user.id}`, ['tenants', t, 'users', u, 'id']);
    }
  }
  return problems;
}

function strangeTools(
  tenants: readonly DeclaredTenant[],
  locate: (path: Path, key?: string) => string,
): readonly string[] {
  return tenants.flatMap(({ limits }, t) =>
    unknownTools(limits).map(
      (tool) => `${locate(['tenants', t, 'limits', 'tools'], tool)}: no such tool; ${toolNames}`,
    ),
  );
}

/** Where the field is written, or else the nearest thing around it. */
function offsetOf(document: Document, path: Path, key?: string): number {
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  if (!isNode(node)) return path.length === 0 ? 0 : offsetOf(document, path.slice(0, -1));
  const pair = isMap(node)
    ? node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === key)
    : undefined;
  const at = pair && isNode(pair.key) ? pair.key : node;
  return at.range?.[0] ?? 0;
}

function toText(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}
