/**
 * What a tool promises, without doing it: name, schemas, permission, effect.
 * The ingress lists and checks by contracts; the worker binds a handler to each.
 */
import { z } from 'zod';
import type { Permission } from '../tenants/tenant.ts';

/**
 * What a crash in the middle may do.
 * - `read`: nothing; re-run freely.
 * - `idempotent`: a re-run leaves the same state; re-run under the call's sequence number.
 * - `once`: a re-run would repeat the effect; never begun a second time.
 */
export type Effect = 'read' | 'idempotent' | 'once';

export interface ToolContract<
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodObject = z.ZodObject,
> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: Input;
  readonly output: Output;
  /** Several: all of them. Absent: every principal of every tenant may use the tool. */
  readonly permission?: Permission | readonly Permission[];
  readonly effect: Effect;
  /** Arguments that no log, trace or dead letter may show. */
  readonly sensitive?: readonly string[];
  /** True if the tool destroys or overwrites what was there. Told to clients as a hint. */
  readonly destructive?: boolean;
  /** How many requests of the tenant's rate one call costs. */
  readonly quotaCost: number;
  /** The longest one call may take, queue included. Absent: `CALL_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
  /**
   * The tool answers with a whole `CallToolResult` of its own, or asks the client back: it has no
   * output schema, and clients see this input schema as it stands.
   */
  readonly raw?: { readonly inputSchema: Readonly<Record<string, unknown>> };
  /** Only the ingress itself calls it; clients neither see it nor can call it. */
  readonly hidden?: boolean;
  /**
   * For clients that know tasks: `always` answers with a task at once, `required` does so and
   * refuses everybody else, `answered` likewise, but once the client has answered what the tool
   * asks first. Absent: a task once the call has taken a while.
   */
  readonly task?: 'always' | 'required' | 'answered';
}

/** Keeps the schemas' types; adds nothing. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  contract: ToolContract<Input, Output>,
): ToolContract<Input, Output> {
  return contract;
}

/**
 * The contract as a client sees it in `tools/list`. JSON Schema 2020-12, as both protocol eras read it.
 */
export interface ToolListing {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint: boolean;
    readonly idempotentHint: boolean;
    readonly openWorldHint: boolean;
  };
}

export function toListing(contract: ToolContract): ToolListing {
  const { name, title, description, input, output, raw, effect, destructive = false } = contract;
  const schemas = raw ?? {
    inputSchema: z.toJSONSchema(input, { io: 'input', override: forClients }),
    outputSchema: z.toJSONSchema(output, { io: 'output', override: forClients }),
  };
  return {
    name,
    title,
    description,
    ...schemas,
    annotations: {
      readOnlyHint: effect === 'read',
      destructiveHint: destructive,
      idempotentHint: effect !== 'once',
      openWorldHint: false,
    },
  };
}

/**
 * No format that validators do not know (`contentEncoding` says base64 already), and no ban on
 * further fields: a client that keeps the list must bear a newer server's results.
 */
function forClients({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format === 'base64') delete jsonSchema.format;
  delete jsonSchema.additionalProperties;
}
