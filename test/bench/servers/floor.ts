/** Answers `tools/call` with what a tool would, and knows nothing of MCP: the floor. */
import { fastify } from 'fastify';

interface Call {
  readonly id: number;
  readonly params: { readonly arguments: { readonly text: string } };
}

const app = fastify();
app.post('/mcp', (request, reply) => {
  const { id, params } = request.body as Call;
  void reply.send({
    jsonrpc: '2.0',
    id,
    result: { content: [{ type: 'text', text: params.arguments.text }] },
  });
});
const address = await app.listen({ host: '127.0.0.1', port: 0 });
process.on('disconnect', () => process.exit());
process.send?.({ port: Number(new URL(address).port) });
