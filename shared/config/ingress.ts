/** Settings of an ingress. */
import { z } from 'zod';
import { isSecureUrl, Issuers } from '../identity/issuer.ts';
import { clusterSettings } from './cluster.ts';
import { integer, setting } from './setting.ts';

export const ingressSettings = {
  ...clusterSettings,
  host: setting({
    env: 'HOST',
    schema: z.string().default('127.0.0.1'),
    doc: 'Address that the MCP endpoint binds to.',
  }),
  port: setting({
    env: 'PORT',
    schema: integer(0, 65_535).default(3000),
    doc: 'Port of the MCP endpoint. 0 takes a free one.',
  }),
  auth: setting({
    env: 'AUTH',
    schema: z.enum(['on', 'off']).default('on'),
    doc: 'off: every caller is the default tenant’s default user. Accepted on a loopback HOST only.',
  }),
  allowedHosts: setting({
    env: 'ALLOWED_HOSTS',
    schema: z
      .string()
      .default('')
      .transform((text) => text.split(',').flatMap((host) => host.trim() || [])),
    doc: 'Host names, comma-separated, that requests to the MCP endpoint and to the console may name besides loopback ones.',
  }),
  defaultTenant: setting({
    env: 'DEFAULT_TENANT_ID',
    schema: z.string().default('demo-tenant'),
    doc: 'Tenant of callers without a token, with AUTH=off.',
  }),
  defaultUser: setting({
    env: 'DEFAULT_USER_ID',
    schema: z.string().default('user-demo-123'),
    doc: 'User of callers without a token, with AUTH=off.',
  }),
  issuers: setting({
    env: 'JWT_ISSUERS',
    schema: Issuers,
    doc: 'Who may sign tokens, as a JSON list of {issuer, claims: {tenant, user, role?}, audience?, jwksUri?, algorithms?, tenants?, defaultRole?, requiredScope?}. Absent: API keys alone are accepted.',
  }),
  resource: setting({
    env: 'RESOURCE_URL',
    schema: z
      .url()
      .refine(isSecureUrl, 'must be https://, or http:// on a loopback address')
      .refine((text) => URL.parse(text)?.hash === '', 'must have no fragment')
      .optional(),
    doc: 'URL of the MCP endpoint as clients know it. The audience of tokens, unless an issuer names another.',
  }),
  signingSecret: setting({
    env: 'AGENT_MESH_SIGNING_SECRET',
    schema: z.string().default('agent-mesh/session-signing'),
    doc: 'Secret in Secrets Manager whose value signs the sessions of 2025-era clients. Created if missing.',
  }),
  sessionIdleMs: setting({
    env: 'SESSION_IDLE_MS',
    schema: integer(1_000, 604_800_000).default(1_800_000),
    doc: 'Milliseconds without use after which a 2025-era session is over.',
  }),
  streamsPerTenant: setting({
    env: 'STREAMS_PER_TENANT',
    schema: integer(0, 100_000).default(100),
    doc: 'The most streams of one tenant, at one ingress, that wait for changes (subscriptions/listen).',
  }),
  streams: setting({
    env: 'STREAMS',
    schema: integer(0, 100_000).default(1_000),
    doc: 'The most such streams of all tenants at one ingress.',
  }),
  callTimeoutMs: setting({
    env: 'CALL_TIMEOUT_MS',
    schema: integer(100, 3_600_000).default(50_000),
    doc: 'Milliseconds a call may take, queue included. Below the 60 s after which clients give up.',
  }),
  taskAfterMs: setting({
    env: 'TASK_AFTER_MS',
    schema: integer(0, 3_600_000).default(5_000),
    doc: 'Milliseconds after which a call becomes a task, for clients that declare the tasks extension.',
  }),
  taskTimeoutMs: setting({
    env: 'TASK_TIMEOUT_MS',
    schema: integer(100, 86_400_000).default(900_000),
    doc: 'Milliseconds a call of such a client may take, queue included.',
  }),
  taskTtlMs: setting({
    env: 'TASK_TTL_MS',
    schema: integer(1_000, 86_400_000).default(900_000),
    doc: 'Milliseconds for which the result of a task is kept, and its questions wait for answers.',
  }),
  drainMs: setting({
    env: 'INGRESS_DRAIN_MS',
    schema: integer(0, 600_000).default(25_000),
    doc: 'Milliseconds to answer accepted calls after SIGTERM.',
  }),
};
