/** The local AWS as a process of its own: listens, says where, and closes in order when asked to stop. */
import { mkdirSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { untilAskedToStop } from '../../../shared/shutdown.ts';

const { env } = process;
const dataDir = required('LOCAL_AWS_DATA_DIR');
mkdirSync(dataDir, { recursive: true, mode: 0o700 });
// Half of the time to start is reading TypeScript; what was read once is kept beside the data.
enableCompileCache(join(dataDir, 'compile-cache'));
const { startLocalAws } = await import('./server.ts');
const aws = await startLocalAws({
  port: Number(env['LOCAL_AWS_PORT'] ?? 0),
  dataDir,
  region: env['AWS_REGION'] ?? 'us-west-2',
  credentials: {
    accessKeyId: required('AWS_ACCESS_KEY_ID'),
    secretAccessKey: required('AWS_SECRET_ACCESS_KEY'),
  },
  names: {
    kvTable: env['AGENT_MESH_KV_TABLE'] ?? 'agent-mesh-kv',
    artifactsBucket: env['AGENT_MESH_ARTIFACTS_BUCKET'] ?? 'agent-mesh-artifacts',
    eventBus: env['AGENT_MESH_EVENT_BUS'] ?? 'agent-mesh-events',
  },
});
const stopping = untilAskedToStop();
const ready = { url: aws.url };
process.stdout.write(`${JSON.stringify(ready)}\n`);
process.send?.(ready);
flushCompileCache();
await stopping;
await aws.close();
// An IPC channel that is still open would keep the process alive.
if (process.connected) process.disconnect();

function required(name: string): string {
  const value = env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}
