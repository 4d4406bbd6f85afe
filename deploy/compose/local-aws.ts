/**
 * The local AWS in a container of its own. Unlike the one that `mesh up` starts it listens for other
 * containers, by the name that they know it by: SQS answers with URLs that hold it.
 */
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { runProcess, untilAskedToStop } from '../../shared/shutdown.ts';
import { startLocalAws } from '../local/aws/server.ts';

const { env } = process;

async function main(): Promise<void> {
  const asked = untilAskedToStop();
  const { region, ...names } = readConfig(clusterSettings, env);
  const aws = await startLocalAws({
    host: required('LOCAL_AWS_HOST'),
    port: Number(required('LOCAL_AWS_PORT')),
    dataDir: required('LOCAL_AWS_DATA_DIR'),
    region,
    credentials: {
      accessKeyId: required('AWS_ACCESS_KEY_ID'),
      secretAccessKey: required('AWS_SECRET_ACCESS_KEY'),
    },
    names,
  });
  process.stdout.write(`${JSON.stringify({ url: aws.url })}\n`);
  await asked;
  await aws.close();
}

function required(name: string): string {
  const value = env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

await runProcess(main);
