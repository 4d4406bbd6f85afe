/**
 * Resources and prompts in front of the protocol, whatever is behind them. Reads go through the
 * queue like any call, as tools that the principal must be allowed to use.
 */
import type {
  ListPromptsResult,
  ListResourcesResult,
  ListResourceTemplatesResult,
} from '@modelcontextprotocol/server';
import type { Principal } from '../../../shared/tenants/tenant.ts';
import type { Result } from '../converse.ts';

/** Runs one tool for the principal. Rejects as the call does. */
export type Run = (tool: string, input: Record<string, unknown>) => Promise<Result>;

export interface Offers {
  listResources(
    principal: Principal,
    cursor: string | undefined,
    run: Run,
  ): Promise<ListResourcesResult>;
  listTemplates(principal: Principal): ListResourceTemplatesResult;
  /** Undefined if the principal knows no such resource. */
  readResource(uri: string, principal: Principal, run: Run): Promise<Result | undefined>;
  /** Whether the principal may hear of changes to it. */
  mayRead(uri: string, principal: Principal): boolean;
  listPrompts(principal: Principal): ListPromptsResult;
  /** Undefined if there is no such prompt. */
  getPrompt(
    name: string,
    input: Readonly<Record<string, string>>,
    run: Run,
  ): Promise<Result | undefined>;
  /** Values of an argument that start so. */
  complete(
    reference: { readonly uri?: string | undefined; readonly prompt?: string | undefined },
    argument: { readonly name: string; readonly value: string },
    principal: Principal,
    run: Run,
  ): Promise<readonly string[]>;
}
