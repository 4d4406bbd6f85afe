/**
 * What a tool wants to be reminded of when its client comes back with answers. It travels through
 * the client, so that no ingress remembers anything: signed, bound to the principal and to the
 * request that it belongs to, and good for ten minutes.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { Fault } from '../../shared/faults.ts';
import type { SigningKeys } from '../../shared/identity/signing-keys.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';

/** The request that asks, the same when it comes back. */
export interface Asking {
  readonly principal: Principal;
  readonly method: string;
  readonly name: string;
  readonly arguments: unknown;
}

export interface RequestStates {
  /** @throws {Fault} `overloaded` as long as no signing key could be read. */
  seal(state: string, asking: Asking): string;
  /** Undefined if it is forged, too old, or belongs to another request. */
  open(sealed: string, asking: Asking): Promise<string | undefined>;
}

const Payload = z.object({ s: z.string(), x: z.number() });

const goodForMs = 10 * 60 * 1_000;
/** As much as a request may carry; anything longer is not ours. */
const maxLength = 1_000_000;

export function createRequestStates(keys: Pick<SigningKeys, 'current' | 'find'>): RequestStates {
  return {
    seal(state, asking) {
      const key = keys.current();
      if (!key) {
        throw new Fault('overloaded', 'Nothing can be signed yet', { retryAfterMs: 1_000 });
      }
      const payload = encode(JSON.stringify({ s: state, x: Date.now() + goodForMs }));
      return `${payload}.${key.id}.${sign(key, payload, asking).toString('base64url')}`;
    },
    async open(sealed, asking) {
      if (sealed.length > maxLength) return undefined;
      const [payload = '', keyId = '', mark = '', ...rest] = sealed.split('.');
      const key = rest.length > 0 ? undefined : await keys.find(keyId);
      if (!key) return undefined;
      const expected = sign(key, payload, asking);
      const given = Buffer.from(mark, 'base64url');
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      const { s, x } = Payload.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
      return x > Date.now() ? s : undefined;
    },
  };
}

const encode = (text: string): string => Buffer.from(text).toString('base64url');

function sign(
  { id, key }: { readonly id: string; readonly key: Uint8Array },
  payload: string,
  asking: Asking,
): Buffer {
  const { tenant, user } = asking.principal;
  const request = JSON.stringify([
    tenant.id,
    user.id,
    asking.method,
    asking.name,
    digest(asking.arguments),
  ]);
  return createHmac('sha256', key).update(`request-state ${payload}.${id} ${request}`).digest();
}

const digest = (value: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(value) ?? '')
    .digest('base64url');
