/**
 * What a tenant has stored, as MCP resources: `mesh://artifacts/{key}` and `mesh://kv/{key}`. A URI
 * names no tenant: it means the same key to whichever tenant reads it.
 */
import { ItemKey } from '../tools/keys.ts';

export const resourceKinds = ['artifacts', 'kv'] as const;
export type ResourceKind = (typeof resourceKinds)[number];

export interface ResourceName {
  readonly kind: ResourceKind;
  readonly key: string;
}

export const toUri = ({ kind, key }: ResourceName): string =>
  `mesh://${kind}/${encodeURIComponent(key)}`;

/** Undefined unless it names what could be stored. */
export function parseUri(uri: string): ResourceName | undefined {
  const [, name, encoded = ''] = /^mesh:\/\/([a-z]+)\/(.+)$/s.exec(uri) ?? [];
  const kind = resourceKinds.find((each) => each === name);
  if (kind === undefined) return undefined;
  try {
    const key = ItemKey.safeParse(decodeURIComponent(encoded)).data;
    return key === undefined ? undefined : { kind, key };
  } catch {
    // A lone % is no encoding.
    return undefined;
  }
}

const writes: Readonly<Record<string, ResourceKind>> = {
  artifacts_put: 'artifacts',
  artifacts_delete: 'artifacts',
  kv_set: 'kv',
  kv_delete: 'kv',
};

/** The resource that a completed call of this tool has changed. */
export function changedBy(
  tool: string,
  input: Readonly<Record<string, unknown>>,
): string | undefined {
  const kind = writes[tool];
  const { key } = input;
  return kind !== undefined && typeof key === 'string' ? toUri({ kind, key }) : undefined;
}
