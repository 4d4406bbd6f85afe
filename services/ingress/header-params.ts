/**
 * What is repeated in headers, for whatever routes or meters the request on its way, beyond what
 * the SDK checks: arguments as `Mcp-Param-…`, where a tool wants it, and the id of a task. It must
 * say the same as the body, or the two would act on different calls.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { z } from 'zod';
import { mayUse, type Principal } from '../../shared/tenants/tenant.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import { httpError, type HttpAnswer } from './respond.ts';

const Declared = z.object({
  properties: z
    .record(z.string(), z.object({ 'x-mcp-header': z.string().optional() }).catch({}))
    .default({}),
});

interface Message {
  readonly id?: string | number | undefined;
  readonly method?: string | undefined;
  readonly params?:
    | {
        readonly name?: string | undefined;
        readonly taskId?: string | undefined;
        readonly arguments?: Readonly<Record<string, unknown>> | undefined;
      }
    | undefined;
}

/** The answer to a request of the 2026-07-28 era whose headers and body differ; undefined if none do. */
export function findMismatch(
  message: Message,
  from: { readonly request: IncomingMessage; readonly principal: Principal },
  catalog: ReadonlyMap<string, ToolContract>,
): HttpAnswer | undefined {
  const what = differenceIn(message, from, catalog);
  if (what === undefined) return undefined;
  const error = { code: -32_020, message: `Headers and body disagree: ${what}` };
  return httpError(400, error, { id: message.id ?? null });
}

function differenceIn(
  { method = '', params }: Message,
  { request, principal }: { readonly request: IncomingMessage; readonly principal: Principal },
  catalog: ReadonlyMap<string, ToolContract>,
): string | undefined {
  if (/^tasks\/(get|update|cancel)$/.test(method)) {
    const isNamed = request.headers['mcp-name'] === params?.taskId;
    return isNamed ? undefined : 'mcp-name must be the id of the task';
  }
  const contract = method === 'tools/call' ? catalog.get(params?.name ?? '') : undefined;
  if (!contract || !mayUse(principal, contract.permission)) return undefined;
  return findParamMismatch(contract, params?.arguments ?? {}, request.headers);
}

function findParamMismatch(
  contract: ToolContract,
  input: Readonly<Record<string, unknown>>,
  headers: IncomingHttpHeaders,
): string | undefined {
  if (!contract.raw) return undefined;
  const { properties } = Declared.parse(contract.raw.inputSchema);
  for (const [name, { 'x-mcp-header': suffix }] of Object.entries(properties)) {
    const value = input[name];
    if (suffix === undefined || value === undefined || value === null) continue;
    const header = `mcp-param-${suffix.toLowerCase()}`;
    const given = headers[header];
    if (typeof given !== 'string') return `${name} is in the body, ${header} is missing`;
    const decoded = decode(given);
    if (decoded === undefined) return `${header} is no valid Base64`;
    if (!isSame(decoded, value)) return `${header} and ${name} differ`;
  }
  return undefined;
}

/** `=?base64?…?=` carries what a header cannot; anything else is meant as it stands. */
function decode(header: string): string | undefined {
  const [, base64] = /^=\?base64\?(.*)\?=$/.exec(header) ?? [];
  if (base64 === undefined) return header;
  return z.base64().safeParse(base64).success
    ? Buffer.from(base64, 'base64').toString()
    : undefined;
}

function isSame(text: string, value: unknown): boolean {
  if (typeof value === 'number') return text !== '' && Number(text) === value;
  return text === String(value);
}
