/**
 * Serves one local MCP client over standard input and output:
 *
 *     node services/stdio/main.ts [--url URL] [--compat mcp-rust] [--data FOLDER]
 *
 * AGENT_MESH_URL and AGENT_MESH_TOKEN name an ingress and the key for it; a token never comes as
 * an argument, where every user of the machine could read it. Standard output carries the protocol
 * alone. Nothing heavy is loaded before the first answer.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readStdioSetting } from '../../shared/config/stdio.ts';
import { untilAskedToStop } from '../../shared/shutdown.ts';

const standardData = join(import.meta.dirname, '../../.mesh');

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      compat: { type: 'string' },
      data: { type: 'string', default: standardData },
    },
  });
  if (positionals[0] === 'keep-cluster') {
    const { keepCluster } = await import('./local/keep-cluster.ts');
    return keepCluster({ dataDir: values.data, environment: process.env });
  }
  if (positionals.length > 0) throw new Error(`Unknown argument: ${positionals[0]}`);
  if (values.compat !== undefined && values.compat !== 'mcp-rust') {
    throw new Error('--compat knows mcp-rust alone.');
  }
  const { runStdio } = await import('./stdio.ts');
  await runStdio(
    {
      url: values.url ?? readStdioSetting('url', process.env),
      token: readStdioSetting('token', process.env),
      compat: values.compat !== undefined,
      dataDir: values.data,
    },
    {
      input: process.stdin,
      output: process.stdout,
      log: (text) => void process.stderr.write(`agent-mesh: ${text}\n`),
      environment: process.env,
      askedToStop: untilAskedToStop(),
    },
  );
}

process.stderr.on('error', () => undefined);
try {
  await main();
  process.exit(0);
} catch (thrown) {
  process.stderr.write(`error: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exit(1);
}
