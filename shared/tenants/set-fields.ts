/** Changes single fields of a tenant as an operator writes them: `weight=2 limits.concurrency=5`. */
import { Tenant } from './tenant.ts';
import { toolNames, unknownTools } from './tool-rates.ts';

/** Its message has one line per problem. */
class FieldError extends Error {
  override readonly name = 'FieldError';
}

interface Fields {
  [name: string]: string | number | Fields;
}

/** Belong to the cluster, not to the operator; the status has commands of its own. */
const fixed = new Set(['id', 'shard', 'version', 'status']);

/**
 * The tenant with these fields changed; `limits.tools.<tool>=` takes a rate away.
 * @throws {FieldError} if any of them cannot be; then none is.
 */
export function setFields(tenant: Tenant, assignments: readonly string[]): Tenant {
  const changed: Fields = structuredClone(tenant);
  const problems = assignments.flatMap((assignment) => assign(changed, assignment) ?? []);
  const parsed = Tenant.safeParse(changed);
  const issues = parsed.error?.issues ?? [];
  const strange = parsed.success ? unknownTools(parsed.data.limits) : [];
  problems.push(
    ...issues.map(({ path, message }) => `${path.join('.')}: ${message}`),
    ...strange.map((tool) => `limits.tools.${tool}: no such tool; ${toolNames}`),
  );
  if (problems.length > 0 || !parsed.success) throw new FieldError(problems.join('\n'));
  return parsed.data;
}

/** The problem, if there is one. */
function assign(fields: Fields, assignment: string): string | undefined {
  const [, path = '', value = ''] = /^([\w.]+)=(.*)$/s.exec(assignment) ?? [];
  if (path === '') return `${assignment}: write it as field=value`;
  const names = path.split('.');
  const last = names.pop() ?? '';
  let parent = fields;
  for (const name of names) {
    const child = Object.hasOwn(parent, name) ? parent[name] : undefined;
    if (typeof child !== 'object') return `${path}: no such field`;
    parent = child;
  }
  const isTool = names.join('.') === 'limits.tools';
  const isKnown = Object.hasOwn(parent, last) && typeof parent[last] !== 'object';
  if (!isTool && !isKnown) return `${path}: no such field`;
  if (fixed.has(path)) return `${path}: cannot be set`;
  if (isTool && value === '') delete parent[last];
  else if (value === '') return `${path}: needs a value`;
  else parent[last] = isTool || typeof parent[last] === 'number' ? toNumber(value) : value;
  return undefined;
}

/** What is no number stays text, which the schema then refuses by name. */
function toNumber(text: string): number | string {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
