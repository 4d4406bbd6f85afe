/**
 * Answers a plain `tools/call` in the very words of the SDK: JSON to a client of 2026-07-28, one
 * event to an older one. The result goes out as the worker wrote it, and everything in one write.
 */
import type { ServerResponse } from 'node:http';
import { ProtocolError, SERVER_INFO_META_KEY } from '@modelcontextprotocol/server';
import { Fault } from '../../shared/faults.ts';
import { idempotencyKeyOf, traceparentOf } from './call-facts.ts';
import type { McpExchange } from './mcp-exchange.ts';
import { cutOffStalled, keepAlive, send, sendEvent } from './node-exchange.ts';
import {
  openExchange,
  type Asked,
  type ExchangePorts,
  type KnownSession,
} from './open-exchange.ts';
import type { PlainCall } from './plain-call.ts';
import { surfaces, toToolResult } from './respond.ts';
import type { CallTool } from './tool-call.ts';

export interface PlainCallPorts extends ExchangePorts {
  readonly callTool: CallTool;
  readonly version: string;
  /** Milliseconds without progress after which a client that does not read is cut off. */
  readonly stallMs: number;
  readonly onProblem: (what: string, cause: unknown) => void;
}

export type AnswerPlainCall = (
  call: PlainCall,
  asked: Asked,
  session: KnownSession | undefined,
) => Promise<void>;

export function createAnswerPlainCall(ports: PlainCallPorts): AnswerPlainCall {
  const serverInfo = { name: 'agent-mesh', version: ports.version };
  const marks = { [SERVER_INFO_META_KEY]: serverInfo };
  /** What a result of the newer era has besides. */
  const prefix = `"resultType":"complete","_meta":${JSON.stringify(marks)},`;

  const toResult = (era: PlainCall['era'], text: string): string =>
    era === 'modern' ? `"result":{${prefix}${text.slice(1)}` : `"result":${text}`;

  const toFailure = (fault: Fault, { era, takesLinks }: McpExchange): string => {
    try {
      const result = toToolResult(fault, takesLinks);
      if (era === 'legacy') return `"result":${JSON.stringify(result)}`;
      const _meta = { ...result._meta, ...marks };
      return `"result":${JSON.stringify({ ...result, resultType: 'complete', _meta })}`;
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      const { code, message, data } = thrown;
      return `"error":${JSON.stringify({ code, message, data })}`;
    }
  };

  return async (call, asked, session) => {
    const { id, era } = call;
    const { response } = asked;
    const { exchange, refusal } = openExchange(asked, { id, era, session }, ports);
    const { signal, settle } = exchange.startCall();
    const stop = era === 'legacy' ? keepAlive(response) : undefined;
    let ending: string;
    try {
      const text = await ports.callTool({
        principal: exchange.principal,
        name: call.name,
        arguments: call.arguments,
        signal,
        onProgress: undefined,
        traceparent: traceparentOf(call.meta, exchange),
        idempotencyKey: idempotencyKeyOf(call.meta, exchange),
      });
      assertFinished(text);
      ending = toResult(era, text);
    } catch (thrown) {
      const fault = Fault.from(thrown);
      // An internal fault without a cause came with the reply, and is in the worker's log.
      if (fault.cause !== undefined)
        ports.onProblem(`${fault.code}: ${fault.message}`, fault.cause);
      if (surfaces[fault.code].on === 'http') exchange.refuse(fault);
      const refused = refusal();
      if (refused) return send(response, refused);
      ending = toFailure(fault, exchange);
    } finally {
      settle();
      stop?.();
    }
    write(response, era, `{${ending},"jsonrpc":"2.0","id":${JSON.stringify(id)}}`);
    cutOffStalled(response, ports.stallMs);
  };
}

function write(response: ServerResponse, era: PlainCall['era'], body: string): void {
  if (era === 'modern') send(response, { status: 200, body });
  else sendEvent(response, body);
}

/** A worker's results all look so, and a line break would end the event before its time. */
function assertFinished(text: string): void {
  if (text.startsWith('{"content":[') && text.endsWith('}') && !text.includes('\n')) return;
  throw new Fault('internal', 'Internal error', { cause: new Error('A result has another form') });
}
