/** The methods of the tasks extension, for clients that declare it on the very request. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { Fault } from '../../shared/faults.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import type { McpExchange } from './mcp-exchange.ts';
import { surfaces, toProtocolError } from './respond.ts';
import type { Tasks } from './tasks.ts';
import type { ToolCall } from './tool-call.ts';

export const tasksExtension = 'io.modelcontextprotocol/tasks';

const Params = z.looseObject({ taskId: z.string() });
const Update = z.looseObject({
  taskId: z.string(),
  inputResponses: z.record(z.string(), z.unknown()).default({}),
});
const Capabilities = z.looseObject({
  extensions: z.record(z.string(), z.unknown()).optional().catch(undefined),
});

export function addTasks(server: Server, tasks: Tasks, exchange: McpExchange): void {
  const { principal } = exchange;
  server.setRequestHandler('tasks/get', { params: Params }, async ({ taskId }, context) => {
    assertDeclared(context);
    return { ...(await mapped(tasks.get(principal, taskId), exchange)) };
  });
  server.setRequestHandler('tasks/update', { params: Update }, async (params, context) => {
    assertDeclared(context);
    // The SDK takes them out of the parameters, as it does for every method.
    const answers = context.mcpReq.inputResponses ?? params.inputResponses;
    await mapped(tasks.update(principal, params.taskId, answers), exchange);
    return {};
  });
  server.setRequestHandler('tasks/cancel', { params: Params }, async ({ taskId }, context) => {
    assertDeclared(context);
    await mapped(tasks.cancel(principal, taskId), exchange);
    return {};
  });
}

/**
 * When this call turns into a task; undefined if its client cannot take one.
 * @throws {MissingRequiredClientCapabilityError} for a tool that has no other answer.
 */
export function taskTerms(
  contract: ToolContract,
  context: ServerContext,
  afterMs: number,
): ToolCall['task'] {
  const capabilities = capabilitiesOf(context);
  if (!isDeclared(context)) {
    if (contract.task === 'required' || contract.task === 'answered') throw missing();
    return undefined;
  }
  const atOnce =
    contract.task === 'answered'
      ? context.mcpReq.inputResponses !== undefined
      : contract.task !== undefined;
  return { afterMs: atOnce ? 0 : afterMs, capabilities };
}

function assertDeclared(context: ServerContext): void {
  if (!isDeclared(context)) throw missing();
}

const isDeclared = (context: ServerContext): boolean =>
  capabilitiesOf(context).extensions?.[tasksExtension] !== undefined;

const capabilitiesOf = ({ mcpReq }: ServerContext) =>
  Capabilities.catch({}).parse(
    new Map(Object.entries(mcpReq.envelope ?? {})).get(CLIENT_CAPABILITIES_META_KEY),
  );

const missing = (): ProtocolError =>
  new MissingRequiredClientCapabilityError({
    requiredCapabilities: { extensions: { [tasksExtension]: {} } },
  });

async function mapped<Done>(work: Promise<Done>, exchange: McpExchange): Promise<Done> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof ProtocolError) throw thrown;
    // A Redis that does not answer says nothing about the task.
    const fault =
      thrown instanceof Fault
        ? thrown
        : new Fault('overloaded', 'Tasks cannot be read now', { retryAfterMs: 1_000 });
    if (surfaces[fault.code].on === 'http') exchange.refuse(fault);
    throw toProtocolError(fault);
  }
}
