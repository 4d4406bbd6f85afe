/** Runs a tool as a worker would, and reads its result as a client would. */
import { expect } from 'vitest';
import type { Tool, ToolContext } from '../../../services/worker/implement.ts';
import type { TenantAws } from '../../../shared/aws/tenant-aws.ts';

const touched = () => Promise.reject(new Error('touched'));

/** A slice of AWS that nothing may touch. */
export const noAws: TenantAws = {
  readKv: touched,
  writeKv: touched,
  deleteKv: touched,
  listKv: touched,
  readArtifact: touched,
  writeArtifact: touched,
  deleteArtifact: touched,
  listArtifacts: touched,
  signGet: touched,
  signPut: touched,
  sendEvent: touched,
  readUsage: touched,
  credentials: { read: touched, put: touched, list: touched, delete: touched },
};

export async function runTool(
  tool: Tool,
  input: unknown,
  context: Partial<ToolContext> = {},
): Promise<unknown> {
  const given = {
    aws: noAws,
    credentials: noAws.credentials,
    deadLetters: { list: touched, replay: touched },
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
