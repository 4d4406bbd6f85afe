import { describe, expect, test } from 'vitest';
import { describeResource } from '../../services/ingress/protected-resource.ts';
import type { Issuer } from '../../shared/identity/issuer.ts';
import { createTokenVerifier } from '../../shared/identity/token-verifier.ts';
import { Tenant } from '../../shared/tenants/tenant.ts';
import { nowSeconds, resource, startIssuer } from '../identity/an-issuer.ts';
import { aPrincipal, messageOf, modern, post, rawRequest, startIngress } from './an-ingress.ts';

const metadataUrl = 'https://mesh.example/.well-known/oauth-protected-resource/mcp';

/** An ingress that trusts one issuer, and knows the tenants acme and globex, the latter suspended. */
async function startTrusting(issuer: Issuer) {
  const tenants = [
    Tenant.parse({ id: 'acme', name: 'acme' }),
    Tenant.parse({ id: 'globex', name: 'globex', status: 'suspended' }),
  ];
  const verifier = createTokenVerifier(
    { issuers: [issuer], resource },
    { onProblem: () => undefined },
  );
  return startIngress(
    {
      tokens: { ...verifier, findTenant: async (id) => tenants.find((each) => each.id === id) },
    },
    { resource: describeResource(resource, [issuer]) },
  );
}

async function list(mesh: { mcp: string }, token: string) {
  const { body, headers } = modern('tools/list');
  const response = await post({ ...mesh, key: token }, body, headers);
  const message = await messageOf(response);
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- a list, if it is one
  const result = message.result as unknown as { tools: { name: string }[] } | undefined;
  return { response, message, tools: result?.tools.map(({ name }) => name) };
}

describe('a token of a trusted issuer', () => {
  test('acts in the role that it names', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    const token = await issuer.sign({ sub: 'newcomer', org: { tenant: 'acme', role: 'Viewer' } });
    const { tools } = await list(mesh, token);
    expect(tools).toContain('kv_get');
    expect(tools).not.toContain('kv_set');
    expect(mesh.records).toMatchObject([{ status: 200, tenant: 'acme' }]);
  });

  test('acts in the role of the record, where its user has one', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    mesh.keys.issue(aPrincipal('acme', { id: 'known', role: 'Viewer' }));
    const org = { tenant: 'acme', role: 'Admin' };
    const { tools } = await list(mesh, await issuer.sign({ sub: 'known', org }));
    expect(tools).not.toContain('kv_set');
  });

  test('leaves API keys as they were', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    expect((await list(mesh, mesh.key)).response.status).toBe(200);
    expect((await list(mesh, `${mesh.key}x`)).response.status).toBe(401);
  });

  test('works with a client of either era', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    const token = await issuer.sign();
    for (const mode of ['auto', 'legacy'] as const) {
      const client = await mesh.client(mode, token);
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain('kv_set');
    }
  });

  test('without any role is told so', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    const { response } = await list(
      mesh,
      await issuer.sign({ sub: 'bob', org: { tenant: 'acme' } }),
    );
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer error="insufficient_scope", resource_metadata="${metadataUrl}"`,
    );
  });

  test('without the scope is told which', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry({ requiredScope: 'mesh:use' }));
    const { response, message } = await list(mesh, await issuer.sign({ scope: 'openid' }));
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer error="insufficient_scope", scope="mesh:use", resource_metadata="${metadataUrl}"`,
    );
    expect(message.error.data['agent-mesh/fault']).toBe('insufficient_scope');
  });

  test('for a suspended tenant, or one that does not exist, is refused', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    const suspended = await list(
      mesh,
      await issuer.sign({ org: { tenant: 'globex', role: 'User' } }),
    );
    expect(suspended.response.status).toBe(403);
    expect(suspended.message.error.data['agent-mesh/fault']).toBe('tenant_suspended');
    const foreign = await list(
      mesh,
      await issuer.sign({ org: { tenant: 'initech', role: 'User' } }),
    );
    expect(foreign.response.status).toBe(401);
  });

  test('makes clients wait, and nothing more, while its issuer’s keys cannot be read', async () => {
    await using issuer = await startIssuer();
    issuer.turn('failing');
    await using mesh = await startTrusting(issuer.entry());
    const { response } = await list(mesh, await issuer.sign());
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
    expect((await list(mesh, mesh.key)).response.status).toBe(200);
  });

  test('ends the stream that it opened, once it has expired', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    // Two seconds before the end of its leeway.
    const key = await issuer.sign({ exp: nowSeconds() - 28 });
    const notifications = { toolsListChanged: true };
    const { body, headers } = modern('subscriptions/listen', { notifications });
    const response = await post({ ...mesh, key }, body, headers);
    expect(await response.text()).toContain('"resultType":"complete"');
    expect((await list(mesh, key)).response.status).toBe(401);
  });

  test('never shows in a log or in an answer', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    const token = await issuer.sign({ exp: nowSeconds() - 100, secret: 'claim-of-mine' });
    const { response, message } = await list(mesh, token);
    expect(response.status).toBe(401);
    const seen = JSON.stringify([message, [...response.headers], mesh.records, mesh.problems]);
    for (const part of [...token.split('.'), 'claim-of-mine']) expect(seen).not.toContain(part);
  });
});

describe('a caller without a good token', () => {
  test('is told where to learn who issues them', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry());
    const { body, headers } = modern('tools/list');
    const none = await post(mesh, body, { ...headers, authorization: undefined });
    expect(none.status).toBe(401);
    expect(none.headers.get('www-authenticate')).toBe(`Bearer resource_metadata="${metadataUrl}"`);
    const { response } = await list(mesh, await issuer.sign({ aud: 'another' }));
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer error="invalid_token", resource_metadata="${metadataUrl}"`,
    );
  });
});

describe('the metadata of the resource', () => {
  const paths = [
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/mcp',
  ];

  test('is open to everybody, at both places', async () => {
    await using issuer = await startIssuer();
    await using mesh = await startTrusting(issuer.entry({ requiredScope: 'mesh:use' }));
    for (const path of paths) {
      const response = await fetch(new URL(path, mesh.mcp));
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(await response.json()).toEqual({
        resource,
        authorization_servers: [issuer.url],
        bearer_methods_supported: ['header'],
        scopes_supported: ['mesh:use'],
        resource_name: 'agent-mesh',
      });
    }
    const foreign = { headers: { host: 'evil.example' } };
    expect((await rawRequest(new URL(paths[0] ?? '', mesh.mcp).href, foreign)).status).toBe(403);
  });

  test('is not there where API keys alone are taken', async () => {
    await using mesh = await startIngress();
    for (const path of paths) expect((await fetch(new URL(path, mesh.mcp))).status).toBe(404);
    const { response } = await list(mesh, 'a.b.c');
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  test('follows the path of the resource', () => {
    const at = (url: string) => describeResource(url, []).metadataUrl;
    expect(at('https://a.example')).toBe('https://a.example/.well-known/oauth-protected-resource');
    expect(at('https://a.example/x/mcp?y=1')).toBe(
      'https://a.example/.well-known/oauth-protected-resource/x/mcp',
    );
  });
});
