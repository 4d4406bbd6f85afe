/**
 * Who may do what: the ingress and the worker what their code calls and no more, and the tenants'
 * role what the shipped policy says, which is the document that the local AWS enforces too.
 */
import {
  CfnRole,
  Effect,
  PolicyStatement,
  Role,
  ServicePrincipal,
  SessionTagsPrincipal,
} from 'aws-cdk-lib/aws-iam';
import { CfnPodIdentityAssociation } from 'aws-cdk-lib/aws-eks';
import { Construct } from 'constructs';
import { readTenantPolicy, readTrustPolicy } from '../policies.ts';
import type { Messaging } from './messaging.ts';
import type { Names } from './names.ts';
import type { SessionSigning } from './session-signing.ts';
import type { Storage } from './storage.ts';

export interface RolesPorts {
  readonly storage: Storage;
  readonly messaging: Messaging;
  readonly signing: SessionSigning;
}

/** Where deploy/kubernetes puts the processes. */
const namespace = 'agent-mesh';

export class Roles extends Construct {
  readonly tenant: CfnRole;

  /** Of a `cluster` the service accounts get these roles. */
  constructor(scope: Construct, names: Names, cluster: string | undefined, ports: RolesPorts) {
    super(scope, 'Roles');
    const ingress = this.addRole('Ingress', 'agent-mesh-ingress');
    const worker = this.addRole('Worker', 'agent-mesh-worker');
    this.tenant = new CfnRole(this, 'Tenant', {
      roleName: 'agent-mesh-tenant',
      description: 'One tenant at a time, named by the session tag `tenant`',
      assumeRolePolicyDocument: readTrustPolicy(worker.roleArn),
      policies: [{ policyName: 'tenant', policyDocument: readTenantPolicy(names) }],
    });
    allowIngress(ingress, ports);
    allowWorker(worker, this.tenant, ports);
    if (cluster === undefined) return;
    this.associate('ingress', ingress, cluster);
    this.associate('worker', worker, cluster);
  }

  private addRole(id: string, roleName: string): Role {
    const assumedBy = new SessionTagsPrincipal(new ServicePrincipal('pods.eks.amazonaws.com'));
    return new Role(this, id, { roleName, assumedBy });
  }

  private associate(serviceAccount: string, role: Role, clusterName: string): void {
    new CfnPodIdentityAssociation(this, `${role.node.id}Pods`, {
      ...{ clusterName, namespace, serviceAccount, roleArn: role.roleArn },
      // They would travel on into the tenants' sessions, whose only tag is to be the tenant.
      disableSessionTags: true,
    });
  }
}

/** Tenant records and the console's changes to them; the audit; how much is stored, never what. */
function allowIngress(role: Role, { storage, signing }: RolesPorts): void {
  const records = ['GetItem', 'Query', 'Scan', 'PutItem', 'DeleteItem'];
  const usage = new PolicyStatement({
    ...allow(['dynamodb:GetItem'], storage.kv.tableArn),
    conditions: {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['*#meta'] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    },
  });
  const statements = [
    new PolicyStatement(allow(records.map(inDynamo), storage.tenants.tableArn)),
    new PolicyStatement(
      allow(['GetItem', 'Query', 'PutItem'].map(inDynamo), storage.audit.tableArn),
    ),
    usage,
    new PolicyStatement(allow(['secretsmanager:GetSecretValue'], signing.secret.secretArn)),
  ];
  for (const statement of statements) role.addToPolicy(statement);
}

/** Limits of tenants, and dead letters; all else as one tenant at a time. */
function allowWorker(role: Role, tenant: CfnRole, { storage, messaging }: RolesPorts): void {
  const statements = [
    allow(['dynamodb:GetItem'], storage.tenants.tableArn),
    allow(['sqs:SendMessage'], messaging.deadLetters.queueArn),
    allow(['sts:AssumeRole', 'sts:TagSession'], tenant.attrArn),
  ];
  for (const statement of statements) role.addToPolicy(new PolicyStatement(statement));
}

const inDynamo = (operation: string): string => `dynamodb:${operation}`;

const allow = (actions: string[], resource: string) => ({
  effect: Effect.ALLOW,
  actions,
  resources: [resource],
});
