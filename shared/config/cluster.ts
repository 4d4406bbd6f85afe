/** Settings that every process of a cluster has. */
import { z } from 'zod';
import { integer, setting } from './setting.ts';

export const clusterSettings = {
  redisUrl: setting({
    env: 'REDIS_URL',
    schema: z.url({ protocol: /^rediss?$/ }).default('redis://127.0.0.1:6379'),
    doc: 'Where Redis or Valkey answers, as redis:// or rediss://.',
    secret: true,
  }),
  shards: setting({
    env: 'QUEUE_SHARDS',
    schema: integer(1, 256).default(1),
    doc: 'Shards over which new tenants are spread. A tenant keeps the shard it was created on.',
  }),
  leaseMs: setting({
    env: 'WORKER_LEASE_MS',
    schema: integer(500, 600_000).default(10_000),
    doc: 'Milliseconds a lease lasts unless renewed, the same in every process. A dead worker’s calls run again after at most this plus one second; so long is also the pause after a restart of Redis.',
  }),
  region: setting({
    env: 'AWS_REGION',
    schema: z.string().default('us-west-2'),
    doc: 'AWS region of all tables, buckets and buses.',
  }),
  tenantsTable: setting({
    env: 'AGENT_MESH_TENANTS_TABLE',
    schema: z.string().default('agent-mesh-tenants'),
    doc: 'DynamoDB table of tenants, users and key hashes.',
  }),
  auditTable: setting({
    env: 'AGENT_MESH_AUDIT_TABLE',
    schema: z.string().default('agent-mesh-audit'),
    doc: 'DynamoDB table of the audit: one hash chain of decisions for each tenant.',
  }),
  auditDays: setting({
    env: 'AUDIT_RETENTION_DAYS',
    schema: integer(1, 3_650).default(90),
    doc: 'Days for which entries of the audit are kept.',
  }),
  kvTable: setting({
    env: 'AGENT_MESH_KV_TABLE',
    schema: z.string().default('agent-mesh-kv'),
    doc: 'DynamoDB table of the key-value store.',
  }),
  artifactsBucket: setting({
    env: 'AGENT_MESH_ARTIFACTS_BUCKET',
    schema: z.string().default('agent-mesh-artifacts'),
    doc: 'S3 bucket of the artifacts.',
  }),
  eventBus: setting({
    env: 'AGENT_MESH_EVENT_BUS',
    schema: z.string().default('agent-mesh-events'),
    doc: 'EventBridge bus that events_send publishes to.',
  }),
  tenantRole: setting({
    env: 'AGENT_MESH_TENANT_ROLE',
    schema: z.string().optional(),
    doc: 'ARN of the role that workers assume for each tenant, tagged with its id. Absent: the worker’s own credentials.',
  }),
  logLevel: setting({
    env: 'LOG_LEVEL',
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    doc: 'Least severe level that is logged.',
  }),
  adminHost: setting({
    env: 'ADMIN_HOST',
    schema: z.string().default('127.0.0.1'),
    doc: 'Address that the admin port binds to. On any other than a loopback one, health, readiness and metrics are open to whoever reaches it.',
  }),
  adminPort: setting({
    env: 'ADMIN_PORT',
    schema: integer(0, 65_535).default(3001),
    doc: 'Port of health, readiness and metrics. 0 takes a free one.',
  }),
  diagnostics: setting({
    env: 'AGENT_MESH_DIAGNOSTICS',
    schema: z.stringbool().default(false),
    doc: 'Offer diagnostics_echo and diagnostics_sleep.',
  }),
  conformance: setting({
    env: 'AGENT_MESH_CONFORMANCE',
    schema: z.stringbool().default(false),
    doc: 'Offer the tools, prompts and resources that the official MCP conformance suite calls. For tests alone.',
  }),
};
