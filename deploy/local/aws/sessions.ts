/** Temporary credentials: issued by AssumeRole, kept over restarts until they expire. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { confinedBy, type Caller } from './access.ts';
import { accountId } from './account.ts';
import type { Journal } from './journal.ts';
import { compilePolicy, type Policy } from './policy.ts';

const Session = z.object({
  secretAccessKey: z.string(),
  sessionToken: z.string(),
  /** Epoch milliseconds. */
  expiresAt: z.number(),
  roleName: z.string(),
  roleId: z.string(),
  sessionName: z.string(),
  tags: z.record(z.string(), z.string()),
  /** Given to AssumeRole to confine the session further. */
  policy: z.unknown().optional(),
});
type Session = z.output<typeof Session>;

export interface Sessions {
  open(
    wanted: Pick<Session, 'roleName' | 'sessionName' | 'tags' | 'policy'>,
    seconds: number,
  ): { readonly accessKeyId: string } & Session;
  get(accessKeyId: string): Session | undefined;
  /** @throws never: a session that exists has policies that compiled. */
  callerOf(accessKeyId: string, session: Session): Caller;
}

export function createSessions(journal: Journal, tenantPolicy: Policy): Sessions {
  const sessions = journal.collection('sts/sessions', (stored) => Session.parse(stored));
  const callers = new Map<string, Caller>();
  return {
    open(wanted, seconds) {
      forgetExpired();
      const accessKeyId = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
      const session = {
        ...wanted,
        secretAccessKey: randomBytes(30).toString('base64'),
        sessionToken: randomBytes(96).toString('base64'),
        expiresAt: Date.now() + seconds * 1_000,
        roleId: `AROA${randomBytes(8).toString('hex').toUpperCase()}`,
      };
      sessions.set(accessKeyId, session);
      return { accessKeyId, ...session };
    },
    get: (accessKeyId) => sessions.get(accessKeyId),
    callerOf(accessKeyId, session) {
      const known = callers.get(accessKeyId);
      if (known) return known;
      const caller = toCaller(session, tenantPolicy);
      callers.set(accessKeyId, caller);
      return caller;
    },
  };

  function forgetExpired(): void {
    const now = Date.now();
    for (const [accessKeyId, { expiresAt }] of sessions.entries()) {
      if (expiresAt > now) continue;
      sessions.delete(accessKeyId);
      callers.delete(accessKeyId);
    }
  }
}

function toCaller(session: Session, tenantPolicy: Policy): Caller {
  const policies = [tenantPolicy];
  if (session.policy !== undefined) policies.push(compilePolicy(session.policy));
  return {
    arn: `arn:aws:sts::${accountId}:assumed-role/${session.roleName}/${session.sessionName}`,
    userId: `${session.roleId}:${session.sessionName}`,
    mayDo: confinedBy(policies, session.tags),
  };
}
