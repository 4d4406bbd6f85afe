/** The first SDK, stateless: a low-level server and a transport for each request, answering JSON. */
import { createServer } from 'node:http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const server = createServer((request, response) => {
  void (async () => {
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    const mcp = new Server({ name: 'peer', version: '1' }, { capabilities: { tools: {} } });
    mcp.setRequestHandler(CallToolRequestSchema, async ({ params }) => ({
      content: [{ type: 'text', text: String(params.arguments?.['text']) }],
    }));
    response.on('close', () => void mcp.close());
    await mcp.connect(transport);
    await transport.handleRequest(request, response);
  })();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : undefined });
});
process.on('disconnect', () => process.exit());
