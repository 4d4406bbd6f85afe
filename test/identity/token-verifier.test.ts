import { createHmac } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../shared/faults.ts';
import type { Bearer } from '../../shared/identity/claims.ts';
import { TenantId, UserId } from '../../shared/ids.ts';
import { Issuers, type Issuer } from '../../shared/identity/issuer.ts';
import type { KeySetPorts } from '../../shared/identity/key-set.ts';
import { rememberTokens } from '../../shared/identity/remember-tokens.ts';
import { createTokenVerifier, MissingScope } from '../../shared/identity/token-verifier.ts';
import { nowSeconds, resource, startIssuer, wellKnown } from './an-issuer.ts';

function aVerifier(issuers: readonly Issuer[], ports: Partial<KeySetPorts> = {}) {
  const problems: unknown[] = [];
  const onProblem = (_what: string, cause: unknown) => void problems.push(cause);
  const verifier = createTokenVerifier({ issuers, resource }, { onProblem, ...ports });
  return { verify: (token: string) => verifier.verify(token), problems };
}

const refusal = (message: string) =>
  expect.objectContaining({ code: 'unauthenticated', message: `The token ${message}` });

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

describe('a token', () => {
  test('that is good says who its bearer is', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry()]);
    const exp = nowSeconds() + 60;
    expect(await verify(await issuer.sign({ exp }))).toEqual({
      issuer: issuer.entry().issuer,
      tenant: 'acme',
      user: 'ann',
      role: 'User',
      expiresAt: exp,
    });
    expect(issuer.fetches()).toBe(1);
  });

  test.each<[string, JWTPayload, string]>([
    ['for another audience', { aud: 'https://other.example' }, 'is meant for another audience'],
    ['for no audience', { aud: undefined }, 'is meant for another audience'],
    [
      'of another issuer',
      { iss: 'https://evil.example' },
      'comes from an issuer that is not trusted here',
    ],
    ['of no issuer', { iss: undefined }, 'comes from an issuer that is not trusted here'],
    ['that has expired', { exp: nowSeconds() - 31 }, 'has expired'],
    ['without an expiry', { exp: undefined }, 'has no expiry'],
    ['that is not valid yet', { nbf: nowSeconds() + 120 }, 'is not valid yet'],
    ['issued in the future', { iat: nowSeconds() + 120 }, 'was issued in the future'],
    ['without a tenant', { org: {} }, 'names no tenant and user of this cluster'],
    [
      'with a tenant that is no id',
      { org: { tenant: 'ACME/../x' } },
      'names no tenant and user of this cluster',
    ],
    ['without a user', { sub: undefined }, 'names no tenant and user of this cluster'],
    ['with a user that is no id', { sub: '../ann' }, 'names no tenant and user of this cluster'],
  ])('%s is refused', async (_what, claims, message) => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry()]);
    await expect(verify(await issuer.sign(claims))).rejects.toEqual(refusal(message));
  });

  test('within the leeway of half a minute is taken', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry()]);
    const claims = { exp: nowSeconds() - 20, nbf: nowSeconds() + 20, iat: nowSeconds() + 20 };
    expect(await verify(await issuer.sign(claims))).toMatchObject({ user: 'ann' });
  });

  test('without a signature is refused', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry()]);
    const [, payload = ''] = (await issuer.sign()).split('.');
    for (const alg of ['none', 'None', 'NONE']) {
      const token = `${encode({ alg, kid: 'k1' })}.${payload}.`;
      await expect(verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
    }
  });

  test('signed with the public key as if it were a shared secret is refused', async () => {
    await using issuer = await startIssuer('RS256');
    const { verify } = aVerifier([issuer.entry()]);
    const [, payload = ''] = (await issuer.sign()).split('.');
    const head = encode({ alg: 'HS256', kid: 'k1', typ: 'JWT' });
    const secrets = [await issuer.spki(), JSON.stringify(issuer.key().jwk), issuer.key().jwk.n];
    for (const secret of secrets) {
      const mark = createHmac('sha256', secret ?? '')
        .update(`${head}.${payload}`)
        .digest('base64url');
      await expect(verify(`${head}.${payload}.${mark}`)).rejects.toEqual(
        refusal('is signed in a way that is not accepted'),
      );
    }
    expect(await verify(await issuer.sign())).toMatchObject({ tenant: 'acme' });
  });

  test('that brings its own key, or says where to find one, is refused', async () => {
    await using issuer = await startIssuer();
    await using forger = await startIssuer();
    const { verify } = aVerifier([issuer.entry()], { cooldownMs: 0 });
    const jwk = await exportJWK(forger.key().publicKey);
    for (const header of [
      { jwk },
      { jku: `${new URL(forger.url).origin}/keys` },
      { x5u: `${forger.url}/cert`, kid: 'k1' },
      { kid: '../../../../dev/null' },
      { kid: "' OR 1=1 --" },
      { kid: '__proto__' },
      { kid: 'x'.repeat(4_000) },
      { crit: ['b64'], b64: true },
    ]) {
      const { privateKey } = forger.key();
      const token = await new SignJWT({ iss: issuer.url, sub: 'ann', org: { tenant: 'acme' } })
        .setAudience(resource)
        .setExpirationTime('5m')
        .setProtectedHeader({ alg: 'ES256', ...header })
        .sign(privateKey);
      await expect(verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
    }
    expect(forger.fetches()).toBe(0);
  });

  test('that was altered, is no token, or is far too long is refused', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry()]);
    const [head = '', payload = '', mark = ''] = (await issuer.sign()).split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const altered = encode({ ...claims, org: { tenant: 'globex' } });
    for (const token of [`${head}.${altered}.${mark}`, `${head}.${payload}.`, 'a.b.c', '..']) {
      await expect(verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
    }
    await expect(verify(await issuer.sign({ padding: 'x'.repeat(9_000) }))).rejects.toEqual(
      refusal('is too long'),
    );
  });

  test('with an algorithm that its issuer does not use is refused', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry({ algorithms: ['RS256'] })]);
    await expect(verify(await issuer.sign())).rejects.toEqual(
      refusal('is signed in a way that is not accepted'),
    );
  });

  test('of one issuer never passes for another’s', async () => {
    await using one = await startIssuer();
    await using two = await startIssuer();
    const { verify } = aVerifier([one.entry(), two.entry()]);
    await expect(verify(await one.sign({ iss: two.url }))).rejects.toEqual(refusal('is not valid'));
  });

  test('speaks for the tenants of its issuer alone', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([
      Issuers.parse(JSON.stringify([{ ...issuer.entry(), tenants: ['globex'] }]))[0] ??
        issuer.entry(),
    ]);
    await expect(verify(await issuer.sign())).rejects.toMatchObject({ code: 'unauthenticated' });
    const own = await issuer.sign({ org: { tenant: 'globex' } });
    expect(await verify(own)).toMatchObject({ tenant: 'globex', role: undefined });
  });

  test('is meant for the audience that its issuer’s entry names', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry({ audience: 'api://mesh' })]);
    await expect(verify(await issuer.sign())).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await verify(await issuer.sign({ aud: ['x', 'api://mesh'] }))).toBeDefined();
  });

  test('needs the scope that its issuer’s entry asks for', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry({ requiredScope: 'mesh:use' })]);
    for (const scope of [undefined, '', 'mesh:used other', 7]) {
      const refused = await verify(await issuer.sign({ scope })).catch((cause: unknown) => cause);
      expect(refused).toBeInstanceOf(MissingScope);
      expect(refused).toMatchObject({ code: 'insufficient_scope', scope: 'mesh:use' });
    }
    expect(await verify(await issuer.sign({ scope: 'openid mesh:use' }))).toBeDefined();
    expect(await verify(await issuer.sign({ scp: ['mesh:use'] }))).toBeDefined();
  });

  test.each<[unknown, string | undefined]>([
    ['Admin', 'Admin'],
    ['viewer', 'Viewer'],
    [['offline_access', 'Viewer', 'user'], 'User'],
    ['root', 'Viewer'],
    [undefined, 'Viewer'],
    [{ Admin: true }, 'Viewer'],
  ])('with the role %j makes its bearer %s', async (role, expected) => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry({ defaultRole: 'Viewer' })]);
    const token = await issuer.sign({ org: { tenant: 'acme', role } });
    expect(await verify(token)).toMatchObject({ role: expected });
  });

  test('may name its claims with URLs', async () => {
    await using issuer = await startIssuer();
    const claims = { tenant: 'https://mesh.example/tenant', user: 'a.b.c' };
    const { verify } = aVerifier([issuer.entry({ claims })]);
    const token = await issuer.sign({ [claims.tenant]: 'globex', a: { b: { c: 'bob' } } });
    expect(await verify(token)).toMatchObject({ tenant: 'globex', user: 'bob' });
    const inherited = aVerifier([
      issuer.entry({ claims: { tenant: 'constructor.name', user: 'sub' } }),
    ]);
    await expect(inherited.verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe('the keys of an issuer', () => {
  test('that were rotated are found, and the old ones are worth nothing', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry()], { cooldownMs: 0 });
    const old = await issuer.sign();
    await verify(old);
    await issuer.rotate('k2');
    expect(await verify(await issuer.sign())).toMatchObject({ user: 'ann' });
    expect(issuer.fetches()).toBe(2);
    await expect(verify(old)).rejects.toEqual(refusal('is signed with an unknown key'));
  });

  test('are not fetched again for each key id that somebody invents', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry()], { cooldownMs: 60_000 });
    await verify(await issuer.sign());
    const forged = await Promise.all(
      Array.from({ length: 20 }, (_, at) => issuer.sign({}, { kid: `invented-${at}` })),
    );
    for (const token of forged) {
      await expect(verify(token)).rejects.toEqual(refusal('is signed with an unknown key'));
    }
    expect(issuer.fetches()).toBe(1);
  });

  test('are fetched once for many callers', async () => {
    await using issuer = await startIssuer();
    const { verify } = aVerifier([issuer.entry()]);
    const token = await issuer.sign();
    await Promise.all(Array.from({ length: 50 }, () => verify(token)));
    expect(issuer.fetches()).toBe(1);
  });

  test.each(['failing', 'garbage', 'empty', 'slow', 'huge', 'elsewhere'] as const)(
    'stay the last good ones while the issuer is %s, and none are made up',
    async (mood) => {
      await using issuer = await startIssuer();
      const cold = aVerifier([issuer.entry()], { cooldownMs: 0 });
      const warm = aVerifier([issuer.entry()], { cooldownMs: 0 });
      const good = await issuer.sign();
      await warm.verify(good);
      issuer.turn(mood);
      await expect(cold.verify(good)).rejects.toMatchObject({
        code: 'overloaded',
        retryAfterMs: 5_000,
      });
      expect(await warm.verify(good)).toMatchObject({ user: 'ann' });
      const unknown = await issuer.sign({}, { kid: 'k9' });
      await expect(warm.verify(unknown)).rejects.toEqual(refusal('is signed with an unknown key'));
      expect(await warm.verify(good)).toMatchObject({ user: 'ann' });
      expect(warm.problems).toHaveLength(1);
      issuer.turn('well');
      expect(await cold.verify(good)).toMatchObject({ user: 'ann' });
    },
  );

  test('that are shared secrets, private, or for encryption are never used', async () => {
    await using issuer = await startIssuer();
    const lost = await generateKeyPair('ES256', { extractable: true });
    const secret = Buffer.from('a secret that everybody may read').toString('base64url');
    issuer.publish([
      { kty: 'oct', kid: 'oct', k: secret, alg: 'HS256' },
      { ...(await exportJWK(lost.privateKey)), kid: 'private', alg: 'ES256' },
      { ...(await exportJWK(lost.publicKey)), kid: 'enc', use: 'enc' },
    ]);
    const { verify } = aVerifier([issuer.entry()]);
    for (const kid of ['private', 'enc']) {
      const token = await new SignJWT({ iss: issuer.url, aud: resource, exp: nowSeconds() + 60 })
        .setProtectedHeader({ alg: 'ES256', kid })
        .sign(lost.privateKey);
      await expect(verify(token)).rejects.toEqual(refusal('is signed with an unknown key'));
    }
    expect(await verify(await issuer.sign())).toMatchObject({ user: 'ann' });
  });

  test('are never taken from metadata that speaks for another issuer', async () => {
    await using issuer = await startIssuer();
    const imposter = issuer.url.replace('127.0.0.1', 'localhost');
    const { verify, problems } = aVerifier([issuer.entry({ issuer: imposter })]);
    await expect(verify(await issuer.sign({ iss: imposter }))).rejects.toBeInstanceOf(Fault);
    expect(problems).toHaveLength(1);
    expect(issuer.fetches()).toBe(0);
  });

  test.each(wellKnown)('are found by metadata at %s', async (place) => {
    await using issuer = await startIssuer('ES256', place);
    const { verify } = aVerifier([issuer.entry()]);
    expect(await verify(await issuer.sign())).toMatchObject({ user: 'ann' });
  });

  test('may be named in the settings instead', async () => {
    await using issuer = await startIssuer();
    const iss = 'https://issuer.example/';
    const jwksUri = `${new URL(issuer.url).origin}/keys`;
    const { verify } = aVerifier([issuer.entry({ issuer: iss, jwksUri })]);
    expect(await verify(await issuer.sign({ iss }))).toMatchObject({ user: 'ann' });
  });
});

describe('a remembered token', () => {
  test('is checked again after its time, and not before', async () => {
    await using issuer = await startIssuer();
    let time = 0;
    const verifier = aVerifier([issuer.entry()], { cooldownMs: 0, refreshMs: 0 });
    const tokens = rememberTokens(verifier, { forMs: 1_000, now: () => time });
    const token = await issuer.sign();
    const bearer = await tokens.verify(token);
    await issuer.rotate('k2');
    await verifier.verify(await issuer.sign());
    time = 999;
    expect(await tokens.verify(token)).toBe(bearer);
    time = 1_000;
    await expect(tokens.verify(token)).rejects.toEqual(refusal('is signed with an unknown key'));
    time = 0;
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('lends nothing to one that differs by a letter, nor is a bad one remembered', async () => {
    let asked = 0;
    const bearer: Bearer = {
      issuer: 'https://login.test',
      tenant: TenantId.parse('acme'),
      user: UserId.parse('ann'),
      role: 'User',
      expiresAt: 0,
    };
    const tokens = rememberTokens(
      {
        async verify(token) {
          asked += 1;
          if (token !== 'good') throw new Fault('unauthenticated', 'no');
          return bearer;
        },
      },
      { capacity: 1 },
    );
    await tokens.verify('good');
    await tokens.verify('good');
    for (const bad of ['gooD', 'good ', 'bad', 'bad']) {
      await expect(tokens.verify(bad)).rejects.toBeInstanceOf(Fault);
    }
    expect(asked).toBe(5);
  });
});

describe('the list of issuers', () => {
  const good = { issuer: 'https://a.example', claims: { tenant: 't', user: 'sub' } };

  test.each([
    ['no JSON', '{', 'expected array'],
    ['no list', '{}', 'expected array'],
    ['http to elsewhere', [{ ...good, issuer: 'http://a.example' }], '0.issuer: must be https'],
    ['http keys', [{ ...good, jwksUri: 'http://a.example/k' }], '0.jwksUri: must be https'],
    ['a shared-secret algorithm', [{ ...good, algorithms: ['HS256'] }], '0.algorithms.0'],
    ['no algorithm', [{ ...good, algorithms: ['none'] }], '0.algorithms.0'],
    ['no claim map', [{ issuer: 'https://a.example' }], '0.claims'],
    ['an unknown field', [{ ...good, algorithm: 'RS256' }], 'algorithm'],
    ['one issuer twice', [good, good], 'names an issuer twice'],
    ['an unknown role', [good, { ...good, defaultRole: 'root' }], '1.defaultRole'],
  ])('with %s is refused whole, and says where', (_what, value, message) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const parsed = Issuers.safeParse(text);
    expect(parsed.success).toBe(false);
    expect(parsed.error?.issues.map((issue) => issue.message).join('\n')).toContain(message);
  });
});
