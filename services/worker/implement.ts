/** Binds a handler to its contract: input parsed before, output checked and encoded after. */
import { z } from 'zod';
import type { Credentials, TenantAws } from '../../shared/aws/tenant-aws.ts';
import { Fault } from '../../shared/faults.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';

/** All that a handler sees. No tenant id, queue, clock or environment: what it cannot see, it cannot get wrong. */
export interface ToolContext {
  readonly aws: TenantAws;
  /** What the call's user has stored for outside services. What is read must not leave the handler. */
  readonly credentials: Pick<Credentials, 'read'>;
  /** Aborts on cancel, deadline or loss of the lease. */
  readonly signal: AbortSignal;
  /** Tells whoever waits how far the call has come. Values that do not increase are dropped. */
  progress(progress: number, total?: number, message?: string): void;
}

export interface Tool {
  readonly contract: ToolContract;
  /**
   * Resolves with the finished `CallToolResult` as JSON text.
   * @throws {Fault} `invalid_arguments`, or whatever the handler throws.
   */
  run(input: unknown, context: ToolContext): Promise<string>;
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
      return encodeResult(contract.output.parse(await handler(parsed.data, context)));
    },
  };
}

/** `structuredContent` carries the object, `content[0].text` the same as JSON for models and older clients. */
function encodeResult(output: unknown): string {
  const json = JSON.stringify(output);
  return `{"content":[{"type":"text","text":${JSON.stringify(json)}}],"structuredContent":${json}}`;
}
