/** A real tool call over plain HTTP, as the 2025-11-25 protocol has it, and the same as a line to paste. */
import { z } from 'zod';

export interface ToolCall {
  readonly mcp: string;
  readonly apiKey: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

const Answer = z.object({
  error: z.object({ message: z.string() }).optional(),
  result: z
    .object({
      isError: z.boolean().optional(),
      content: z.array(z.object({ text: z.string().optional() })),
      structuredContent: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
});

const timeoutMs = 60_000;

/** Resolves with the tool's result object. Rejects with what the server said otherwise. */
export async function callTool(call: ToolCall): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(call.mcp, {
    method: 'POST',
    headers: toHeaders(call),
    body: toBody(call),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${call.tool} was answered with ${response.status}: ${text}`);
  const { result, error } = Answer.parse(JSON.parse(lastMessage(response, text)));
  const said = error?.message ?? result?.content[0]?.text ?? text;
  if (!result || result.isError) throw new Error(`${call.tool} failed: ${said}`);
  return result.structuredContent ?? {};
}

/** One line that makes the call in a POSIX shell. */
export function toCurl(call: ToolCall): string {
  const headers = Object.entries(toHeaders(call)).map(
    ([name, value]) => `-H ${quoted(`${name}: ${value}`)}`,
  );
  return ['curl -s', quoted(call.mcp), ...headers, '-d', quoted(toBody(call))].join(' ');
}

function toHeaders({ apiKey }: ToolCall): Record<string, string> {
  return {
    Authorization: `Bearer ${apiKey}`,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    'MCP-Protocol-Version': '2025-11-25',
  };
}

function toBody(call: ToolCall): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: call.tool, arguments: call.arguments },
  });
}

/** The answer is the body, or the last message of an event stream. */
function lastMessage(response: Response, text: string): string {
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return text;
  const data = text.split(/\r?\n/).filter((line) => line.startsWith('data:'));
  return data.at(-1)?.slice('data:'.length) ?? '';
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
