/**
 * Arguments that a tool wants repeated as `Mcp-Param-…` headers, for whatever routes or meters the
 * request on its way. They must say the same as the body, or the two would act on different calls.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { ToolContract } from '../../shared/tools/contract.ts';

const Declared = z.object({
  properties: z
    .record(z.string(), z.object({ 'x-mcp-header': z.string().optional() }).catch({}))
    .default({}),
});

/** What differs, for the client's developer; undefined if nothing does. */
export function findHeaderMismatch(
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
