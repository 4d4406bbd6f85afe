/**
 * The operator's hands: runs a local cluster, manages tenants and keys. What a command prints on
 * standard output is its result and nothing else; an error is one line on standard error and exit
 * code 1.
 */
import { Command } from 'commander';
import { addAdminCommands } from './admins.ts';
import { addAuditCommands } from './audit.ts';
import { addDeadLetterCommands } from './dead-letters.ts';
import { addDoctorCommand } from './doctor.ts';
import { explainError } from './explain-error.ts';
import { addKeyCommands } from './keys.ts';
import type { CliPorts } from './ports.ts';
import { addSessionCommands } from './sessions.ts';
import { addSetupCommand } from './setup.ts';
import { addStdioCommand } from './stdio.ts';
import { addTenantCommands } from './tenants.ts';
import { addUpCommand } from './up.ts';
import { addUserCommands } from './users.ts';
import { addVerifyCapsCommand } from './verify-caps.ts';

const ports: CliPorts = {
  environment: process.env,
  isTerminal: process.stdout.isTTY,
  print: (text) => {
    process.stdout.write(`${text}\n`);
  },
};

// Whoever reads our output may be gone before we are: that must not keep a cluster from draining.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

const program = new Command('mesh').description('Runs a local cluster, manages tenants and keys');
addUpCommand(program, ports);
addSetupCommand(program, ports);
addTenantCommands(program, ports);
addUserCommands(program, ports);
addKeyCommands(program, ports);
addSessionCommands(program, ports);
addAdminCommands(program, ports);
addAuditCommands(program, ports);
addVerifyCapsCommand(program, ports);
addDeadLetterCommands(program, ports);
addDoctorCommand(program, ports);
addStdioCommand(program, ports);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`error: ${explainError(error)}\n`);
  process.exitCode = 1;
}
// The channel to the bootstrap would keep this process alive.
if (process.connected) process.disconnect();
