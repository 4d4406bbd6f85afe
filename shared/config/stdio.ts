/** Settings of stdio. Without schemas: loading them would take longer than its first answer may. */

export const stdioSettings = {
  url: {
    env: 'AGENT_MESH_URL',
    doc: 'MCP endpoint of an ingress. Absent, and no token either: the local cluster, which is started if none runs. Absent beside a token: http://127.0.0.1:3000/mcp.',
  },
  token: {
    env: 'AGENT_MESH_TOKEN',
    doc: 'API key or JWT for that endpoint. Absent: none is sent.',
  },
  defaultTenant: {
    env: 'DEFAULT_TENANT_ID',
    doc: 'With --compat mcp-rust: tenant of requests that name none. At the local cluster, tenants and users that do not exist are then created when they are named.',
  },
  defaultUser: {
    env: 'DEFAULT_USER_ID',
    doc: 'With --compat mcp-rust: user of requests that name none.',
  },
  devMode: {
    env: 'DEV_MODE',
    doc: 'With --compat mcp-rust, true: the demo tenant and its user, where nothing else names one.',
  },
} as const;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined if it is absent or empty. */
export function readStdioSetting(
  name: keyof typeof stdioSettings,
  environment: Environment,
): string | undefined {
  return environment[stdioSettings[name].env] || undefined;
}
