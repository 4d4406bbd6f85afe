/** Which fields of a tenant differ, however deep: `limits.concurrency`. */
import type { Tenant } from './tenant.ts';

export interface FieldChange {
  readonly field: string;
  readonly old: string;
  readonly new: string;
}

export function fieldChanges(before: Tenant, after: Tenant): readonly FieldChange[] {
  const [old, now] = [flatten(before), flatten(after)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((field) => {
    const change = { field, old: old.get(field) ?? '', new: now.get(field) ?? '' };
    return change.old === change.new || field === 'version' ? [] : [change];
  });
}

function flatten(record: object, path = ''): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(record).flatMap(([name, value]: [string, unknown]) =>
      typeof value === 'object' && value !== null
        ? [...flatten(value, `${path}${name}.`)]
        : [[path + name, String(value)] as const],
    ),
  );
}
