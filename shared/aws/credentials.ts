/**
 * Credentials of one tenant: the tenant role, assumed with the session tag `tenant`, which the
 * role's policy confines to that tenant's keys and prefix. A bug in a tool cannot cross over.
 */
import { AssumeRoleCommand, type STSClient } from '@aws-sdk/client-sts';
import type { TenantId } from '../ids.ts';

export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/** One hour: the most that a role assumed by another role may last. */
const sessionSeconds = 3_600;

/** The SDK asks again from five minutes before expiry; by then ours must be ready to change. */
const refreshBeforeMs = 6 * 60_000;

/**
 * A provider for all clients of one tenant. Assumes the role at first use and again shortly before
 * expiry, never twice at a time. A failed renewal goes unnoticed while the old session still holds.
 */
export function tenantCredentials(
  tenant: TenantId,
  ports: { readonly sts: STSClient; readonly role: string },
): () => Promise<SessionCredentials> {
  let held: SessionCredentials | undefined;
  let pending: Promise<SessionCredentials> | undefined;

  const assume = async (): Promise<SessionCredentials> => {
    try {
      held = await assumeTenantRole(tenant, ports);
      return held;
    } catch (error) {
      if (held !== undefined && remainingMs(held) > 0) return held;
      throw error;
    } finally {
      pending = undefined;
    }
  };

  return async () => {
    if (held !== undefined && remainingMs(held) > refreshBeforeMs) return held;
    pending ??= assume();
    return pending;
  };
}

async function assumeTenantRole(
  tenant: TenantId,
  { sts, role }: { readonly sts: STSClient; readonly role: string },
): Promise<SessionCredentials> {
  const { Credentials: issued } = await sts.send(
    new AssumeRoleCommand({
      RoleArn: role,
      // At most 64 characters. It only labels the audit trail: the tag decides.
      RoleSessionName: `mesh-${tenant}`.slice(0, 64),
      DurationSeconds: sessionSeconds,
      Tags: [{ Key: 'tenant', Value: tenant }],
    }),
  );
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = issued ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration) {
    throw new Error('AssumeRole answered without credentials');
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: Expiration,
  };
}

function remainingMs({ expiration }: SessionCredentials): number {
  return expiration.getTime() - Date.now();
}
