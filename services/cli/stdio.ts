/**
 * `mesh stdio`: one local MCP client on standard input and output. The same as
 * `node services/stdio/main.ts`, which starts faster, since it loads no other command.
 */
import { Option, type Command } from 'commander';
import { readStdioSetting } from '../../shared/config/stdio.ts';
import { untilAskedToStop } from '../../shared/shutdown.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import type { CliPorts } from './ports.ts';

interface StdioCommandOptions extends DataOptions {
  readonly url?: string;
  readonly compat?: 'mcp-rust';
}

export function addStdioCommand(program: Command, ports: CliPorts): void {
  program
    .command('stdio')
    .description('serve a local MCP client on standard input and output')
    .option('--url <url>', 'MCP endpoint of an ingress; its key is read from AGENT_MESH_TOKEN')
    .addOption(
      new Option('--compat <which>', 'answer as another server does').choices(['mcp-rust']),
    )
    .addOption(dataOption())
    .action((options: StdioCommandOptions) => serve(options, ports));
}

async function serve(options: StdioCommandOptions, { environment }: CliPorts): Promise<void> {
  // eslint-disable-next-line no-restricted-imports -- a launcher of it, as of the whole cluster
  const { runStdio } = await import('../stdio/stdio.ts');
  await runStdio(
    {
      url: options.url ?? readStdioSetting('url', environment),
      token: readStdioSetting('token', environment),
      compat: options.compat !== undefined,
      dataDir: options.data,
    },
    {
      input: process.stdin,
      output: process.stdout,
      log: (text) => void process.stderr.write(`agent-mesh: ${text}\n`),
      environment,
      askedToStop: untilAskedToStop(),
    },
  );
}
