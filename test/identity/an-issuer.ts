/** An issuer of tokens on loopback: real keys, its metadata and key set over HTTP, and every way to break. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type JWK, type JWTPayload } from 'jose';
import { Issuer } from '../../shared/identity/issuer.ts';

export const resource = 'https://mesh.example/mcp';

type Mood = 'well' | 'failing' | 'garbage' | 'empty' | 'slow' | 'huge' | 'elsewhere';

type Key = Awaited<ReturnType<typeof newKey>>;

async function newKey(kid: string, alg: 'ES256' | 'RS256') {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  return { kid, alg, privateKey, publicKey, jwk };
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

/** Where its metadata may stand, for an issuer with a path. */
export const wellKnown = [
  '/tenant/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server/tenant',
  '/.well-known/openid-configuration/tenant',
] as const;

export async function startIssuer(
  alg: 'ES256' | 'RS256' = 'ES256',
  metadataAt: (typeof wellKnown)[number] = wellKnown[0],
) {
  let mood: Mood = 'well';
  let fetches = 0;
  let keys: Key[] = [await newKey('k1', alg)];
  let extra: readonly JWK[] = [];

  const server = createServer((request, response) => {
    if (request.url === metadataAt) {
      return json(response, { issuer: url, jwks_uri: `${new URL(url).origin}/keys` });
    }
    if (request.url !== '/keys') return response.writeHead(404).end();
    fetches += 1;
    const set = { keys: [...keys.map(({ jwk }) => jwk), ...extra] };
    switch (mood) {
      case 'well':
        return json(response, set);
      case 'failing':
        return response.writeHead(500).end(JSON.stringify(set));
      case 'garbage':
        return response.writeHead(200).end('<html>');
      case 'empty':
        return json(response, { keys: [] });
      case 'slow':
        return response.writeHead(200).write('{"keys":');
      case 'huge':
        return json(response, { ...set, padding: 'x'.repeat(1_000_000) });
      case 'elsewhere':
        return response.writeHead(302, { location: '/other' }).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tenant`;
  const current = (): Key => {
    const key = keys.at(-1);
    if (!key) throw new Error('no key');
    return key;
  };

  return {
    url,
    /** Its entry in the settings. */
    entry: (given: Partial<Issuer> = {}): Issuer =>
      Issuer.parse({
        issuer: url,
        claims: { tenant: 'org.tenant', user: 'sub', role: 'org.role' },
        ...given,
      }),
    key: current,
    spki: () => exportSPKI(current().publicKey),
    fetches: () => fetches,
    turn(to: Mood) {
      mood = to;
    },
    /** Keys that are in the set and sign nothing. */
    publish(jwks: readonly JWK[]) {
      extra = jwks;
    },
    async rotate(kid: string) {
      keys = [await newKey(kid, alg)];
    },
    /** A good token, but for what is given. A claim that is `undefined` is left out. */
    async sign(claims: JWTPayload = {}, header: Record<string, unknown> = {}): Promise<string> {
      const { kid, alg: own, privateKey } = current();
      const all: JWTPayload = {
        iss: url,
        aud: resource,
        sub: 'ann',
        org: { tenant: 'acme', role: 'User' },
        iat: nowSeconds(),
        exp: nowSeconds() + 300,
        ...claims,
      };
      const present = Object.fromEntries(
        Object.entries(all).filter(([, value]) => value !== undefined),
      );
      return new SignJWT(present).setProtectedHeader({ alg: own, kid, ...header }).sign(privateKey);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function json(response: ServerResponse, body: object): ServerResponse {
  return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
