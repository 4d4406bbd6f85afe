/**
 * A setting is declared once: environment name, schema, one sentence. From it follow the parsed
 * config, the error that lists every bad variable at once, and the generated documentation.
 */
import { z } from 'zod';

export interface Setting<Schema extends z.ZodType = z.ZodType> {
  readonly env: string;
  readonly schema: Schema;
  readonly doc: string;
  /** Never printed, not even in an error. */
  readonly secret?: boolean;
}

export type Settings = Readonly<Record<string, Setting>>;
export type Config<S extends Settings> = { readonly [K in keyof S]: z.output<S[K]['schema']> };

/** Text from the environment, as a whole number within bounds. */
export const integer = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

/** Keeps the schema's type; adds nothing. */
export function setting<Schema extends z.ZodType>(declared: Setting<Schema>): Setting<Schema> {
  return declared;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads every setting from the environment. An empty variable counts as absent.
 * @throws {ConfigError} naming every bad variable, never a secret's value.
 */
export function readConfig<S extends Settings>(
  settings: S,
  environment: Readonly<Record<string, string | undefined>>,
): Config<S> {
  const problems: string[] = [];
  const entries = Object.entries(settings).map(([name, { env, schema, secret }]) => {
    const text = environment[env] === '' ? undefined : environment[env];
    const parsed = schema.safeParse(text);
    if (parsed.success) return [name, parsed.data];
    const reason = parsed.error.issues.map((issue) => issue.message).join('; ');
    problems.push(`${env}${secret || text === undefined ? '' : `="${text}"`}: ${reason}`);
    return [name, undefined];
  });
  if (problems.length > 0) {
    throw new ConfigError(`Bad configuration:\n${problems.map((line) => `  ${line}`).join('\n')}`);
  }
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- built from the same keys and schemas, one by one
  return Object.freeze(Object.fromEntries(entries)) as Config<S>;
}
