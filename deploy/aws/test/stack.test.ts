import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { clusterSettings } from '../../../shared/config/cluster.ts';
import { ingressSettings } from '../../../shared/config/ingress.ts';
import { readConfig } from '../../../shared/config/setting.ts';
import { workerSettings } from '../../../shared/config/worker.ts';
import { readTenantPolicy, readTrustPolicy } from '../policies.ts';
import { account, resolve, resourcesOf, synthesise } from './a-stack.ts';

const template = synthesise();
const defaults = readConfig({ ...ingressSettings, ...workerSettings }, {});
const ofType = (type: string) =>
  Object.values(resourcesOf(template)).filter(({ Type }) => Type === type);

describe('the stack', () => {
  test('has the tables that the processes ask for, with their keys and expiry', () => {
    const tables = ofType('AWS::DynamoDB::Table').map(({ Properties: table }) => [
      table.TableName,
      ...table.KeySchema.map(({ AttributeName }: { AttributeName: string }) => AttributeName),
      table.TimeToLiveSpecification,
    ]);
    const expiry = { AttributeName: 'expires_at', Enabled: true };
    expect(tables).toEqual([
      [defaults.tenantsTable, 'pk', 'sk', expiry],
      [defaults.auditTable, 'pk', 'sk', expiry],
      [defaults.kvTable, 'tenant', 'sk', expiry],
    ]);
  });

  test('encrypts and keeps every table, also from whoever deletes it by mistake', () => {
    template.allResources('AWS::DynamoDB::Table', {
      DeletionPolicy: 'Retain',
      Properties: {
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        SSESpecification: { SSEEnabled: true },
      },
    });
  });

  test('has one bucket: private, encrypted, over TLS alone, without half uploads', () => {
    template.resourceCountIs('AWS::S3::Bucket', 1);
    template.allResources('AWS::S3::Bucket', {
      DeletionPolicy: 'Retain',
      Properties: {
        BucketName: defaults.artifactsBucket,
        BucketEncryption: Match.anyValue(),
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        LifecycleConfiguration: {
          Rules: [
            { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: 'Enabled' },
          ],
        },
      },
    });
    template.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: Match.objectLike({
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Deny',
            Action: 's3:*',
            Principal: { AWS: '*' },
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          }),
        ]),
      }),
    });
  });

  test('hands what a queue fails to deliver five times to a queue of its own', () => {
    const queues = ofType('AWS::SQS::Queue').map(({ Properties: queue }) => [
      queue.QueueName,
      queue.SqsManagedSseEnabled,
      queue.RedrivePolicy && [
        resolve(queue.RedrivePolicy.deadLetterTargetArn, template),
        queue.RedrivePolicy.maxReceiveCount,
      ],
    ]);
    const unread = (name: string) => [`arn:aws:sqs:us-west-2:${account}:${name}-unread`, 5];
    expect(queues).toEqual([
      ['agent-mesh-dead-letters-unread', true, undefined],
      ['agent-mesh-dead-letters', true, unread('agent-mesh-dead-letters')],
      ['agent-mesh-events-in-unread', true, undefined],
      ['agent-mesh-events-in', true, unread('agent-mesh-events-in')],
    ]);
  });

  test('has the bus, and a signing key that is changed every month', () => {
    template.hasResourceProperties('AWS::Events::EventBus', { Name: defaults.eventBus });
    template.hasResourceProperties('AWS::SecretsManager::Secret', {
      Name: defaults.signingSecret,
      GenerateSecretString: { PasswordLength: 43, ExcludePunctuation: true },
    });
    template.hasResourceProperties('AWS::SecretsManager::RotationSchedule', {
      RotationRules: { ScheduleExpression: 'rate(30 days)' },
    });
  });

  test('confines tenants by the very documents that the local AWS enforces', () => {
    const roles = ofType('AWS::IAM::Role').map(({ Properties }) => Properties);
    const tenant = roles.find(({ RoleName }) => RoleName === 'agent-mesh-tenant');
    const worker = `arn:aws:iam::${account}:role/agent-mesh-worker`;
    expect(tenant.Policies).toEqual([
      { PolicyName: 'tenant', PolicyDocument: readTenantPolicy(defaults) },
    ]);
    expect(resolve(tenant.AssumeRolePolicyDocument, template)).toEqual(readTrustPolicy(worker));
  });

  test('gives the roles to the service accounts of the cluster, without tags that travel on', () => {
    const pods = ofType('AWS::EKS::PodIdentityAssociation').map(({ Properties }) => Properties);
    const names = pods.map(({ ServiceAccount, RoleArn }) => [
      ServiceAccount,
      resolve(RoleArn, template),
    ]);
    expect(names).toEqual([
      ['ingress', `arn:aws:iam::${account}:role/agent-mesh-ingress`],
      ['worker', `arn:aws:iam::${account}:role/agent-mesh-worker`],
    ]);
    for (const pod of pods) {
      expect(pod).toMatchObject({ Namespace: 'agent-mesh', DisableSessionTags: true });
    }
  });

  test('is named by the same variables as the processes, and tells them theirs', () => {
    const own = synthesise({ AGENT_MESH_ARTIFACTS_BUCKET: 'own-artifacts' });
    own.hasResourceProperties('AWS::S3::Bucket', { BucketName: 'own-artifacts' });
    const [output] = Object.values(own.findOutputs('*', { Value: Match.anyValue() }));
    const text = JSON.stringify(output?.['Value']);
    const known = new Set(
      [clusterSettings, ingressSettings, workerSettings].flatMap((settings) =>
        Object.values(settings).map(({ env }) => env),
      ),
    );
    const told = text.match(/[A-Z][A-Z_]+(?==)/g) ?? [];
    expect(told).toHaveLength(9);
    for (const variable of told) expect(known).toContain(variable);
    expect(text).toContain('AGENT_MESH_ARTIFACTS_BUCKET=own-artifacts');
    expect(text).toContain('AWS_REGION=us-west-2');
  });
});
