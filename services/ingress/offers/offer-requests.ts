/** Resources, prompts and completion as MCP methods. */
import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type GetPromptResult,
  type ReadResourceResult,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { Fault } from '../../../shared/faults.ts';
import type { ToolContract } from '../../../shared/tools/contract.ts';
import { converse, type Conversation, type ConversePorts, type Result } from '../converse.ts';
import type { McpExchange, SessionWishes } from '../mcp-exchange.ts';
import type { Offers, Run } from './offers.ts';
import { surfaces, toProtocolError } from '../respond.ts';

export interface OfferPorts extends ConversePorts {
  readonly catalog: ReadonlyMap<string, ToolContract>;
  readonly offers: Offers;
  /** True beside the fixtures of the conformance suite, which wants some methods for their own sake. */
  readonly logging: boolean;
  readonly onProblem: (what: string, cause: unknown) => void;
}

export function addOffers(server: Server, exchange: McpExchange, ports: OfferPorts): void {
  const { offers } = ports;
  const { principal } = exchange;

  server.setRequestHandler('resources/list', ({ params }, context) =>
    running({ method: 'resources/read', subject: '', context }, exchange, ports, (run) =>
      offers.listResources(principal, params?.cursor, run),
    ),
  );
  server.setRequestHandler('resources/templates/list', () => offers.listTemplates(principal));
  server.setRequestHandler('resources/read', ({ params: { uri } }, context) =>
    running({ method: 'resources/read', subject: uri, context }, exchange, ports, async (run) => {
      const result = await offers.readResource(uri, principal, run);
      if (!result) throw new ResourceNotFoundError(uri);
      // eslint-disable-next-line typescript/no-unsafe-type-assertion -- the SDK checks it against the protocol's schema
      return result as unknown as ReadResourceResult;
    }),
  );
  const { wishes } = exchange;
  if (wishes) addWishes(server, wishes, exchange, ports);
  server.setRequestHandler('prompts/list', () => offers.listPrompts(principal));
  server.setRequestHandler('prompts/get', ({ params }, context) =>
    running(
      { method: 'prompts/get', subject: params.name, context },
      exchange,
      ports,
      async (run) => {
        const result = await offers.getPrompt(params.name, params.arguments ?? {}, run);
        if (!result) {
          const message = `Unknown prompt: ${params.name}`;
          throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
        }
        // eslint-disable-next-line typescript/no-unsafe-type-assertion -- the SDK checks it against the protocol's schema
        return result as unknown as GetPromptResult;
      },
    ),
  );
  server.setRequestHandler('completion/complete', ({ params: { ref, argument } }, context) =>
    running({ method: 'prompts/get', subject: '', context }, exchange, ports, async (run) => {
      const reference = ref.type === 'ref/prompt' ? { prompt: ref.name } : { uri: ref.uri };
      const values = await offers.complete(reference, argument, principal, run);
      return { completion: { values: [...values], hasMore: false } };
    }),
  );
}

/** What a session wants to be told. Without one there is no stream to tell it on. */
function addWishes(
  server: Server,
  wishes: SessionWishes,
  exchange: McpExchange,
  ports: OfferPorts,
): void {
  const kept = async (work: Promise<void>): Promise<object> => {
    await mapped(work, exchange, ports);
    return {};
  };
  server.setRequestHandler('resources/subscribe', ({ params: { uri } }) => {
    // The same for what is not there yet and for what the principal may not read.
    if (!ports.offers.mayRead(uri, exchange.principal)) throw new ResourceNotFoundError(uri);
    return kept(wishes.watch(uri));
  });
  server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) =>
    kept(wishes.unwatch(uri)),
  );
  if (!ports.logging) return;
  server.setRequestHandler('logging/setLevel', ({ params: { level } }) =>
    kept(wishes.setLevel(level)),
  );
}

type Request = Pick<Conversation, 'method' | 'subject'> & { readonly context: ServerContext };

/** Gives `work` the way to run tools for this request, and maps what goes wrong. */
async function running<Done>(
  request: Request,
  exchange: McpExchange,
  ports: OfferPorts,
  work: (run: Run) => Promise<Done>,
): Promise<Done> {
  const { signal, settle } = exchange.startCall();
  const run = (tool: string, input: Record<string, unknown>): Promise<Result> => {
    const raw = ports.catalog.get(tool)?.raw !== undefined;
    return converse({ ...request, tool, arguments: input, raw, signal }, exchange, ports);
  };
  try {
    return await mapped(work(run), exchange, ports);
  } finally {
    settle();
  }
}

async function mapped<Done>(
  work: Promise<Done>,
  exchange: McpExchange,
  ports: OfferPorts,
): Promise<Done> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof ProtocolError) throw thrown;
    const fault = Fault.from(thrown);
    if (fault.cause !== undefined) ports.onProblem(`${fault.code}: ${fault.message}`, fault.cause);
    if (surfaces[fault.code].on === 'http') exchange.refuse(fault);
    throw toProtocolError(fault);
  }
}
