/** The local AWS's own reading of the shipped policies, beside an independent IAM simulator. */
import { runSimulation } from '@cloud-copilot/iam-simulate';
import { describe, expect, test } from 'vitest';
import { readTenantPolicy, readTrustPolicy } from '../../deploy/aws/policies.ts';
import { confinedBy } from '../../deploy/local/aws/access.ts';
import { compilePolicy } from '../../deploy/local/aws/policy.ts';

const document = readTenantPolicy({ kvTable: 'kv', artifactsBucket: 'art', eventBus: 'bus' });
const allows = confinedBy([compilePolicy(document)], { tenant: 'acme' });

const table = (name: string) => `arn:aws:dynamodb:us-west-2:000000000000:table/${name}`;
const bus = (name: string) => `arn:aws:events:us-west-2:000000000000:event-bus/${name}`;
const secret = (name: string) => `arn:aws:secretsmanager:us-west-2:000000000000:secret:${name}`;

type Case = [action: string, resource: string, context: Record<string, string[]>, allowed: boolean];

const leading = (...keys: string[]) => ({ 'dynamodb:LeadingKeys': keys });
const cases: Case[] = [
  ...[
    'GetItem',
    'PutItem',
    'UpdateItem',
    'DeleteItem',
    'Query',
    'BatchGetItem',
    'BatchWriteItem',
    'ConditionCheckItem',
  ].flatMap((name): Case[] => [
    [`dynamodb:${name}`, table('kv'), leading('acme'), true],
    [`dynamodb:${name}`, table('kv'), leading('acme', 'acme#meta'), true],
    [`dynamodb:${name}`, table('kv'), leading('globex'), false],
    [`dynamodb:${name}`, table('kv'), leading('acme', 'globex'), false],
    [`dynamodb:${name}`, table('kv'), leading('acme#other'), false],
    [`dynamodb:${name}`, table('kv'), {}, false],
    [`dynamodb:${name}`, table('other'), leading('acme'), false],
  ]),
  ['dynamodb:Scan', table('kv'), leading('acme'), false],
  ['dynamodb:PartiQLSelect', table('kv'), leading('acme'), false],
  ['s3:GetObject', 'arn:aws:s3:::art/acme/x', {}, true],
  ['s3:PutObject', 'arn:aws:s3:::art/acme/x y/é', {}, true],
  ['s3:DeleteObject', 'arn:aws:s3:::art/acme/', {}, true],
  ['s3:GetObject', 'arn:aws:s3:::art/acmex/x', {}, false],
  ['s3:GetObject', 'arn:aws:s3:::art/globex/acme/x', {}, false],
  ['s3:GetObject', 'arn:aws:s3:::other/acme/x', {}, false],
  ['s3:ListBucket', 'arn:aws:s3:::art', { 's3:prefix': ['acme/'] }, true],
  ['s3:ListBucket', 'arn:aws:s3:::art', { 's3:prefix': ['acme'] }, false],
  ['s3:ListBucket', 'arn:aws:s3:::art', { 's3:prefix': ['globex/'] }, false],
  ['s3:ListBucket', 'arn:aws:s3:::art', {}, false],
  ['events:PutEvents', bus('bus'), { 'events:source': ['agent-mesh'] }, true],
  ['events:PutEvents', bus('bus'), { 'events:source': ['aws.ec2'] }, false],
  ['events:PutEvents', bus('bus'), {}, false],
  ['events:PutEvents', bus('other'), { 'events:source': ['agent-mesh'] }, false],
  ['secretsmanager:GetSecretValue', secret('mcp-credentials/acme/api-AbCdEf'), {}, true],
  ['secretsmanager:GetSecretValue', secret('mcp-credentials/globex/api-AbCdEf'), {}, false],
  ['secretsmanager:PutSecretValue', secret('mcp-credentials/acme/api-AbCdEf'), {}, true],
  ['secretsmanager:PutSecretValue', secret('mcp-credentials/globex/api-AbCdEf'), {}, false],
  ['secretsmanager:CreateSecret', secret('mcp-credentials/acme/api-??????'), {}, true],
  ['secretsmanager:CreateSecret', secret('mcp-credentials/globex/api-??????'), {}, false],
  ['secretsmanager:ListSecrets', '*', {}, false],
  ['sqs:SendMessage', 'arn:aws:sqs:us-west-2:000000000000:q', {}, false],
];

describe('the tenant policy', () => {
  test.each(cases)(
    '%s on %s with %o is %s, here and by the simulator',
    async (action, resource, context, allowed) => {
      expect(allows({ action, resource, context })).toBe(allowed);
      const simulated = await runSimulation(
        {
          request: {
            principal: 'arn:aws:sts::000000000000:assumed-role/agent-mesh-tenant/acme',
            action,
            resource: { resource, accountId: '000000000000' },
            contextVariables: { 'aws:PrincipalTag/tenant': 'acme', ...context },
          },
          identityPolicies: [{ name: 'tenant', policy: document }],
          serviceControlPolicies: [],
          resourceControlPolicies: [],
        },
        {},
      );
      expect(simulated).toMatchObject({ resultType: 'single' });
      expect('overallResult' in simulated && simulated.overallResult === 'Allowed').toBe(allowed);
    },
  );

  test('reads no character of a key or tag as a wildcard', () => {
    const get = (tenant: string, key: string) =>
      confinedBy([compilePolicy(document)], { tenant })({
        action: 's3:GetObject',
        resource: `arn:aws:s3:::art/${key}`,
        context: {},
      });
    expect(get('acme', 'acme/*?\n${aws:PrincipalTag/tenant}')).toBe(true);
    expect(get('a*', 'acme/x')).toBe(false);
    expect(get('a*', 'a*/x')).toBe(true);
    expect(get('${*}', 'acme/x')).toBe(false);
  });

  test('allows nothing to a session without the tag', () => {
    const untagged = confinedBy([compilePolicy(document)], {});
    // Publishing is the same for every tenant: the event itself says whose it is.
    const own = cases.filter(([action]) => action !== 'events:PutEvents');
    for (const [action, resource, context] of own) {
      expect(untagged({ action, resource, context })).toBe(false);
    }
  });
});

describe('policies', () => {
  test('that say what is not understood are not loaded', () => {
    const load = (statement: object) => () =>
      compilePolicy({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*', ...statement }],
      });
    expect(load({ NotAction: 's3:Get*' })).toThrow('NotAction');
    expect(load({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } })).toThrow(
      'IpAddress',
    );
    expect(load({})).not.toThrow();
  });

  test('of trust need the tag of one tenant', () => {
    const trusts = compilePolicy(readTrustPolicy('arn:aws:iam::000000000000:role/worker'));
    const assume = (context: Record<string, string[]>) =>
      trusts({ action: 'sts:AssumeRole', resource: 'any', context });
    expect(assume({ 'aws:TagKeys': ['tenant'], 'aws:RequestTag/tenant': ['acme'] })).toBe(true);
    expect(assume({ 'aws:TagKeys': ['tenant', 'x'], 'aws:RequestTag/tenant': ['acme'] })).toBe(
      false,
    );
    expect(assume({ 'aws:TagKeys': ['tenant'], 'aws:RequestTag/tenant': [''] })).toBe(false);
    expect(assume({})).toBe(false);
  });
});
