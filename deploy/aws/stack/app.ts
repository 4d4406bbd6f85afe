/**
 * The AWS account as code. Names are those of the processes' own variables, so that what is deployed
 * and what reads it cannot differ: `AGENT_MESH_ARTIFACTS_BUCKET=… npx cdk deploy --app 'node deploy/aws/stack/app.ts'`.
 * With `-c cluster=NAME` the roles belong to the service accounts of that EKS cluster.
 */
import { App } from 'aws-cdk-lib';
import { readNames } from './names.ts';
import { MeshStack } from './mesh-stack.ts';

const { env } = process;
const app = new App();
const cluster: unknown = app.node.tryGetContext('cluster');
const { region, ...names } = readNames(env);
new MeshStack(app, 'agent-mesh', {
  env: { region, ...(env['CDK_DEFAULT_ACCOUNT'] ? { account: env['CDK_DEFAULT_ACCOUNT'] } : {}) },
  names,
  cluster: typeof cluster === 'string' ? cluster : undefined,
});
