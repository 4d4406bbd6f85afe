/** The stack as CloudFormation gets it, and what its references will stand for. */
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { MeshStack } from '../stack/mesh-stack.ts';
import { readNames } from '../stack/names.ts';

export const account = '111122223333';

export function synthesise(environment: Readonly<Record<string, string>> = {}): Template {
  const { region, ...names } = readNames(environment);
  const app = new App({ context: { 'aws:cdk:disable-asset-staging': true } });
  const props = { env: { account, region }, names, cluster: 'mesh' };
  return Template.fromStack(new MeshStack(app, 'agent-mesh', props));
}

export interface Resource {
  readonly Type: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  readonly Properties: any;
}

export const resourcesOf = (template: Template): Readonly<Record<string, Resource>> =>
  template.toJSON()['Resources'];

/** Property that names a resource, and its ARN from that. */
const arns: Readonly<Record<string, readonly [property: string, arn: (name: string) => string]>> = {
  'AWS::DynamoDB::Table': ['TableName', (name) => arnOf('dynamodb', `table/${name}`)],
  'AWS::SQS::Queue': ['QueueName', (name) => arnOf('sqs', name)],
  'AWS::IAM::Role': ['RoleName', (name) => `arn:aws:iam::${account}:role/${name}`],
  // With the six characters that Secrets Manager adds.
  'AWS::SecretsManager::Secret': [
    'Name',
    (name) => arnOf('secretsmanager', `secret:${name}-AbCdEf`),
  ],
};

export const arnOf = (service: string, resource: string): string =>
  `arn:aws:${service}:us-west-2:${account}:${resource}`;

/** Puts ARNs where the template refers to its own resources. */
export function resolve(value: unknown, template: Template): unknown {
  return JSON.parse(JSON.stringify(value), (_, part: unknown) => {
    if (typeof part !== 'object' || part === null) return part;
    if ('Fn::GetAtt' in part && Array.isArray(part['Fn::GetAtt'])) {
      return arnOfResource(String(part['Fn::GetAtt'][0]), template);
    }
    return 'Ref' in part ? arnOfResource(String(part.Ref), template) : part;
  });
}

function arnOfResource(id: string, template: Template): string {
  const { Type, Properties } = resourcesOf(template)[id] ?? { Type: id, Properties: {} };
  const [property, toArn] = arns[Type] ?? [];
  if (property === undefined || toArn === undefined) throw new Error(`No ARN is known of ${Type}`);
  return toArn(Properties[property]);
}
