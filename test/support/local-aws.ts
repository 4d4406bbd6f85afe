/** The project's own AWS for one test, with the cluster's tables, bucket and bus, and nothing in them. */
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig, type Config } from '../../shared/config/setting.ts';
import type { AwsAccess } from '../../deploy/local/aws-access.ts';
import { openLocalAws } from '../../deploy/local/backends.ts';
import { openDataFolder } from '../../deploy/local/data-folder.ts';
import { provision } from '../../deploy/local/provision.ts';
import { makeTempDir } from './temp-dir.ts';

export interface TestAws extends AsyncDisposable {
  readonly access: AwsAccess;
  readonly resources: Config<typeof clusterSettings>;
}

export async function startTestAws(): Promise<TestAws> {
  const temp = await makeTempDir();
  const folder = await openDataFolder(temp.path);
  const resources = readConfig(clusterSettings, {});
  const aws = await openLocalAws(folder, resources.region, {
    environment: process.env,
    onStep: () => undefined,
  });
  await provision(aws.access, resources);
  return {
    access: aws.access,
    resources,
    async [Symbol.asyncDispose]() {
      await aws.close();
      await folder.release();
      await temp[Symbol.asyncDispose]();
    },
  };
}
