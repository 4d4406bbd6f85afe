/** The second SDK as its authors show it on Node, with its low-level server, the faster of the two. */
import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, preloadSchemas, Server } from '@modelcontextprotocol/server';

preloadSchemas();
const handler = createMcpHandler(() => {
  const mcp = new Server({ name: 'peer', version: '1' }, { capabilities: { tools: {} } });
  mcp.setRequestHandler('tools/call', async ({ params }) => ({
    content: [{ type: 'text', text: String(params.arguments?.text) }],
  }));
  return mcp;
});
const answer = toNodeHandler(handler);
const server = createServer((request, response) => void answer(request, response));
server.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port }));
process.on('disconnect', () => process.exit());
