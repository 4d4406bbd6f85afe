import { join } from 'node:path';
import { runSimulation } from '@cloud-copilot/iam-simulate';
import { describe, expect, test } from 'vitest';
import { account, arnOf, resolve, resourcesOf, synthesise } from './a-stack.ts';
import { calledOperations } from './called-operations.ts';

const template = synthesise();
const services = join(import.meta.dirname, '../../../services');

const tenants = arnOf('dynamodb', 'table/agent-mesh-tenants');
const audit = arnOf('dynamodb', 'table/agent-mesh-audit');
const kv = arnOf('dynamodb', 'table/agent-mesh-kv');
const signing = arnOf('secretsmanager', 'secret:agent-mesh/session-signing-AbCdEf');
const tenantSecret = arnOf('secretsmanager', 'secret:mcp-credentials/acme/api/x-AbCdEf');
const deadLetters = arnOf('sqs', 'agent-mesh-dead-letters');
const eventsIn = arnOf('sqs', 'agent-mesh-events-in');
const bus = arnOf('events', 'event-bus/agent-mesh-events');
const tenantRole = `arn:aws:iam::${account}:role/agent-mesh-tenant`;
const artifact = 'arn:aws:s3:::agent-mesh-artifacts/acme/x';
const bucket = 'arn:aws:s3:::agent-mesh-artifacts';

type Request = readonly [action: string, resource: string, context?: Record<string, string[]>];

const leading = (key: string) => ({ 'dynamodb:LeadingKeys': [key] });
const named = { 'aws:RequestTag/tenant': ['acme'], 'aws:TagKeys': ['tenant'] };

/** What each asks AWS for under its own name, and no more. */
const needs: Readonly<Record<'ingress' | 'worker', readonly Request[]>> = {
  ingress: [
    ...['GetItem', 'Query', 'Scan', 'PutItem', 'DeleteItem'].map((operation): Request => [
      `dynamodb:${operation}`,
      tenants,
    ]),
    ...['GetItem', 'Query', 'PutItem'].map((operation): Request => [
      `dynamodb:${operation}`,
      audit,
    ]),
    ['dynamodb:GetItem', kv, leading('acme#meta')],
    ['secretsmanager:GetSecretValue', signing],
  ],
  worker: [
    ['dynamodb:GetItem', tenants],
    ['sqs:SendMessage', deadLetters],
    ['sts:AssumeRole', tenantRole, named],
    ['sts:TagSession', tenantRole, named],
  ],
};

/** Everything that either might be tempted by, on everything there is. */
const tables = [tenants, audit, kv];
const temptations: readonly Request[] = [
  ...tables.flatMap((table) =>
    ['GetItem', 'Query', 'Scan', 'PutItem', 'UpdateItem', 'DeleteItem', 'BatchGetItem'].map(
      (operation): Request => [`dynamodb:${operation}`, table, leading('acme#meta')],
    ),
  ),
  ...tables.map((table): Request => ['dynamodb:DeleteTable', table]),
  ['dynamodb:GetItem', kv, leading('acme')],
  ['dynamodb:GetItem', kv],
  ['s3:GetObject', artifact],
  ['s3:PutObject', artifact],
  ['s3:ListBucket', bucket, { 's3:prefix': ['acme/'] }],
  ['events:PutEvents', bus, { 'events:source': ['agent-mesh'] }],
  ...[signing, tenantSecret].flatMap((secret) =>
    ['GetSecretValue', 'PutSecretValue', 'DeleteSecret'].map((operation): Request => [
      `secretsmanager:${operation}`,
      secret,
    ]),
  ),
  ...[deadLetters, eventsIn].flatMap((queue) =>
    ['SendMessage', 'ReceiveMessage', 'PurgeQueue'].map((operation): Request => [
      `sqs:${operation}`,
      queue,
    ]),
  ),
  ['sts:AssumeRole', tenantRole, named],
  ['sts:TagSession', tenantRole, named],
  ['sts:AssumeRole', `arn:aws:iam::${account}:role/administrator`],
];

function policiesOf(kind: 'ingress' | 'worker'): readonly unknown[] {
  const resources = Object.entries(resourcesOf(template));
  const [id] =
    resources.find(([, { Properties }]) => Properties?.RoleName === `agent-mesh-${kind}`) ?? [];
  return resources
    .filter(([, { Type }]) => Type === 'AWS::IAM::Policy')
    .filter(([, { Properties }]) =>
      Properties.Roles.some((role: { Ref: string }) => role.Ref === id),
    )
    .map(([, { Properties }]) => resolve(Properties.PolicyDocument, template));
}

async function mayDo(kind: 'ingress' | 'worker', request: Request): Promise<boolean> {
  const [action, resource, contextVariables = {}] = request;
  const policies = policiesOf(kind).map((policy, index) => ({ name: String(index), policy }));
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:sts::${account}:assumed-role/agent-mesh-${kind}/pod`,
        action,
        resource: { resource, accountId: account },
        contextVariables,
      },
      identityPolicies: policies,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(action.startsWith('sts:') ? { resourcePolicy: trustOf(resource) } : {}),
    },
    {},
  );
  if (result.resultType !== 'single') throw new Error(JSON.stringify(result));
  return result.overallResult === 'Allowed';
}

/** Whom a role trusts: ours by its own document, any other whoever the account lets assume it. */
function trustOf(role: string): unknown {
  if (role === tenantRole) {
    const roles = Object.values(resourcesOf(template)).filter(({ Type }) =>
      Type.endsWith('::Role'),
    );
    const own = roles.find(({ Properties }) => Properties.RoleName === 'agent-mesh-tenant');
    return resolve(own?.Properties.AssumeRolePolicyDocument, template);
  }
  const Principal = { AWS: `arn:aws:iam::${account}:root` };
  const Statement = [{ Effect: 'Allow', Principal, Action: 'sts:AssumeRole' }];
  return { Version: '2012-10-17', Statement };
}

const asText = ([action, resource, context = {}]: Request): string =>
  `${action} ${resource} ${JSON.stringify(context)}`;

describe.each(['ingress', 'worker'] as const)('the role of the %s', (kind) => {
  test('allows what its code asks for', async () => {
    for (const request of needs[kind]) {
      expect([asText(request), await mayDo(kind, request)]).toEqual([asText(request), true]);
    }
  });

  test('allows nothing else', async () => {
    const needed = new Set(needs[kind].map(([action, resource]) => `${action} ${resource}`));
    const others = temptations.filter(
      ([action, resource, context]) =>
        !needed.has(`${action} ${resource}`) ||
        (resource === kv && context?.['dynamodb:LeadingKeys']?.[0] !== 'acme#meta'),
    );
    expect(others.length).toBeGreaterThan(20);
    for (const request of others) {
      expect([asText(request), await mayDo(kind, request)]).toEqual([asText(request), false]);
    }
  });
});

/** What the SDK's operations need, where IAM calls it otherwise. */
const rights: Readonly<Record<string, string>> = {
  // Two puts, into the audit. Changes of many records at once are the cli’s.
  'dynamodb:TransactWriteItems': 'dynamodb:PutItem',
  's3:HeadObject': 's3:GetObject',
  's3:ListObjectsV2': 's3:ListBucket',
};

/** Within reach of a program's imports, but called by others. */
const byOthers: Readonly<Record<'ingress' | 'worker', readonly string[]>> = {
  ingress: [
    // Counts what a tenant stores, as that tenant.
    'dynamodb:UpdateItem',
    // The stack makes the signing key and rotates it; so does the cli.
    'secretsmanager:CreateSecret',
    'secretsmanager:PutSecretValue',
  ],
  // Lists all tenants: for operators.
  worker: ['dynamodb:Scan'],
};

/** What the worker may do as a tenant. */
const asTenant = (): readonly string[] =>
  Object.values(resourcesOf(template)).flatMap(({ Properties }) =>
    Properties?.RoleName === 'agent-mesh-tenant'
      ? Properties.Policies[0].PolicyDocument.Statement.filter(
          ({ Effect }: { Effect: string }) => Effect === 'Allow',
        ).flatMap(({ Action }: { Action: string | string[] }) => Action)
      : [],
  );

describe.each(['ingress', 'worker'] as const)('what the code of the %s calls', (kind) => {
  test('is what its roles speak of, so that a new operation needs a word there', async () => {
    const called = await calledOperations(join(services, kind, 'main.ts'));
    const needed = new Set([...called].map((operation) => rights[operation] ?? operation));
    const own = needs[kind].map(([action]) => action).filter((name) => name !== 'sts:TagSession');
    const allowed = [...own, ...(kind === 'worker' ? asTenant() : [])];
    const known = new Set([...allowed, ...byOthers[kind]]);
    expect([...needed].filter((right) => !known.has(right))).toEqual([]);
    expect(own.filter((right) => !needed.has(right))).toEqual([]);
  });
});
