/**
 * Binds a handler to its contract: input parsed before, output checked and encoded after. A raw
 * handler builds the whole result by itself, and may converse with the client.
 */
import { z } from 'zod';
import type { Credentials, TenantAws } from '../../shared/aws/tenant-aws.ts';
import type { DeadLetterBox } from '../../shared/dead-letters/dead-letter-store.ts';
import { Fault } from '../../shared/faults.ts';
import type { Change } from '../../shared/queue/change-events.ts';
import type { ClientSide } from '../../shared/queue/invocation.ts';
import { changedBy } from '../../shared/resources/uris.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';

/** All that a handler sees. No tenant id, queue, clock or environment: what it cannot see, it cannot get wrong. */
export interface ToolContext {
  readonly aws: TenantAws;
  /** What the call's user has stored for outside services. What is read must not leave the handler. */
  readonly credentials: Pick<Credentials, 'read'>;
  /** The tenant's own. */
  readonly deadLetters: DeadLetterBox;
  /** Aborts on cancel, deadline or loss of the lease. */
  readonly signal: AbortSignal;
  /** Tells whoever waits how far the call has come. Values that do not increase are dropped. */
  progress(progress: number, total?: number, message?: string): void;
}

/** What a raw handler sees besides. */
export interface RawContext extends ToolContext {
  /** What the client can do, and what it has answered to this call's earlier questions. */
  readonly client: ClientSide;
  /** Tells the client, if it wants to know. `level` as MCP names it. */
  log(level: string, data: unknown): void;
  /** Tells the tenant's clients that wait for such changes. */
  announce(change: Change): void;
}

/** A `CallToolResult`, or one with `resultType: 'input_required'` that asks the client back. */
export type RawResult = Readonly<Record<string, unknown>>;
export type RawHandler = (
  input: Readonly<Record<string, unknown>>,
  context: RawContext,
) => Promise<RawResult>;

export interface Tool {
  readonly contract: ToolContract;
  /**
   * Resolves with the finished `CallToolResult` as JSON text.
   * @throws {Fault} `invalid_arguments`, or whatever the handler throws.
   */
  run(input: unknown, context: ToolContext | RawContext): Promise<string>;
}

export function implement<Input extends z.ZodObject, Output extends z.ZodObject>(
  contract: ToolContract<Input, Output>,
  handler: (input: z.output<Input>, context: ToolContext) => Promise<z.input<Output>>,
): Tool {
  return {
    contract,
    async run(input, context) {
      const parsed = contract.input.safeParse(input);
      if (!parsed.success) throw new Fault('invalid_arguments', z.prettifyError(parsed.error));
      const output = await handler(parsed.data, context);
      const uri = changedBy(contract.name, parsed.data);
      if (uri !== undefined && 'announce' in context) context.announce({ kind: 'resource', uri });
      return encodeResult(contract.output.parse(output));
    },
  };
}

export function implementRaw(contract: ToolContract, handler: RawHandler): Tool {
  return {
    contract,
    async run(input, context) {
      const parsed = contract.input.safeParse(input);
      if (!parsed.success) throw new Fault('invalid_arguments', z.prettifyError(parsed.error));
      if (!('client' in context)) throw new Error(`${contract.name} needs to know its client`);
      return JSON.stringify(await handler(parsed.data, context));
    },
  };
}

/** `structuredContent` carries the object, `content[0].text` the same as JSON for models and older clients. */
function encodeResult(output: unknown): string {
  const json = JSON.stringify(output);
  return `{"content":[{"type":"text","text":${JSON.stringify(json)}}],"structuredContent":${json}}`;
}
