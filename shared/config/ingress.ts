/** Settings of an ingress. */
import { z } from 'zod';
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
    doc: 'Host names, comma-separated, that requests may name besides loopback ones.',
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
  callTimeoutMs: setting({
    env: 'CALL_TIMEOUT_MS',
    schema: integer(100, 3_600_000).default(50_000),
    doc: 'Milliseconds a call may take, queue included. Below the 60 s after which clients give up.',
  }),
  drainMs: setting({
    env: 'INGRESS_DRAIN_MS',
    schema: integer(0, 600_000).default(25_000),
    doc: 'Milliseconds to answer accepted calls after SIGTERM.',
  }),
};
