/** fastmcp, stateless over HTTP, answering JSON. */
import { createServer } from 'node:net';
import { FastMCP } from 'fastmcp';
import { z } from 'zod';

const mcp = new FastMCP({ name: 'peer', version: '1.0.0' });
mcp.addTool({
  name: 'echo',
  description: 'Gives back its text',
  parameters: z.object({ text: z.string() }),
  execute: async ({ text }) => text,
});
const port = await freePort();
await mcp.start({
  transportType: 'httpStream',
  httpStream: { host: '127.0.0.1', port, stateless: true, enableJsonResponse: true },
});
process.on('disconnect', () => process.exit());
process.send?.({ port });

/** fastmcp does not tell which port it got. */
function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
