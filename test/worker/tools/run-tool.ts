/** Runs a tool as a worker would, and reads its result as a client would. */
import { expect } from 'vitest';
import type { Tool, ToolContext } from '../../../services/worker/implement.ts';
import type { TenantAws } from '../../../shared/aws/tenant-aws.ts';

/** A slice of AWS that nothing may touch. */
export const noAws: TenantAws = {
  readKv: () => Promise.reject(new Error('touched')),
  writeKv: () => Promise.reject(new Error('touched')),
  readArtifact: () => Promise.reject(new Error('touched')),
  writeArtifact: () => Promise.reject(new Error('touched')),
  listArtifacts: () => Promise.reject(new Error('touched')),
  sendEvent: () => Promise.reject(new Error('touched')),
};

export async function runTool(
  tool: Tool,
  input: unknown,
  context: Partial<ToolContext> = {},
): Promise<unknown> {
  const given = {
    aws: noAws,
    signal: new AbortController().signal,
    progress: () => {},
    ...context,
  };
  const result = JSON.parse(await tool.run(input, given));
  const [{ type, text }] = result.content;
  expect(type).toBe('text');
  expect(JSON.parse(text)).toEqual(result.structuredContent);
  return result.structuredContent;
}
