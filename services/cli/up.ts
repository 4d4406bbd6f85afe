/** `mesh up`: a whole cluster on this machine, until Ctrl-C. */
import { Option, type Command } from 'commander';
import { readTenantsFile } from '../../deploy/local/read-tenants-file.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { wholeNumber } from './options.ts';
import type { CliPorts } from './ports.ts';

interface UpCommandOptions extends DataOptions {
  readonly workers: number;
  readonly ingresses: number;
  readonly port: number;
  readonly tenants?: string;
  readonly diagnostics?: boolean;
  readonly conformance?: boolean;
  readonly aws: 'local' | 'real';
}

const most = 64;
const highestPort = 65_535 - 2 * most;

export function addUpCommand(program: Command, ports: CliPorts): void {
  program
    .command('up')
    .description('run a cluster on this machine: Redis, AWS, ingresses and workers')
    .option('--workers <n>', 'worker processes', wholeNumber(1, most), 1)
    .option('--ingresses <n>', 'ingress processes', wholeNumber(1, most), 1)
    .option(
      '--port <n>',
      'MCP port of the first ingress; its admin port is the next, and so on',
      wholeNumber(1, highestPort),
      3000,
    )
    .option('--tenants <file>', 'tenants to create or change besides the demo tenant')
    .option('--diagnostics', 'offer diagnostics_echo and diagnostics_sleep')
    .option('--conformance', 'offer what the official MCP conformance suite looks for')
    .addOption(
      new Option('--aws <which>', "the project's own, or the one of the environment")
        .choices(['local', 'real'])
        .default('local'),
    )
    .addOption(dataOption())
    .action((options: UpCommandOptions) => up(options, ports));
}

async function up(options: UpCommandOptions, ports: CliPorts): Promise<void> {
  const { workers, ingresses, port, aws, diagnostics = false, conformance = false } = options;
  const tenants = options.tenants === undefined ? [] : await readTenantsFile(options.tenants);
  // The other commands start faster without it.
  const { runUp } = await import('../../deploy/local/up.ts');
  await runUp(
    {
      dataDir: options.data,
      workers,
      ingresses,
      port,
      aws,
      diagnostics,
      conformance,
      tenants,
      environment: ports.environment,
    },
    (line) => ports.print(line),
  );
}
