/** All of one cluster in one account and region. Its output is the environment of the processes. */
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { clusterSettings } from '../../../shared/config/cluster.ts';
import { workerSettings } from '../../../shared/config/worker.ts';
import { Messaging } from './messaging.ts';
import { namedSettings, type Names } from './names.ts';
import { Roles } from './roles.ts';
import { SessionSigning } from './session-signing.ts';
import { Storage } from './storage.ts';

export interface MeshStackProps extends StackProps {
  readonly names: Names;
  /** EKS cluster that the processes run in. Absent: nobody assumes their roles yet. */
  readonly cluster?: string | undefined;
}

export class MeshStack extends Stack {
  constructor(scope: Construct, id: string, { names, cluster, ...props }: MeshStackProps) {
    super(scope, id, props);
    const storage = new Storage(this, names);
    const messaging = new Messaging(this, names);
    const signing = new SessionSigning(this, names);
    const roles = new Roles(this, names, cluster, { storage, messaging, signing });

    const { tenantRole, region } = clusterSettings;
    const variables = [
      ...Object.entries(namedSettings).map(([name, { env }]): [string, string | undefined] => [
        env,
        new Map<string, string>(Object.entries(names)).get(name),
      ]),
      [region.env, this.region],
      [tenantRole.env, roles.tenant.attrArn],
      [workerSettings.deadLetterQueue.env, messaging.deadLetters.queueUrl],
    ];
    new CfnOutput(this, 'Environment', {
      description: 'Of every process: for settings.env, one variable a line',
      value: variables.map(([variable, value]) => `${variable}=${value}`).join(' '),
    });
  }
}
