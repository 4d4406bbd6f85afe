/**
 * A client that calls on although it is refused could fill a tenant's audit by itself: like
 * refusals that follow each other closely become one entry that says how many they were.
 */
import type { AuditEvent, AuditGap } from './entry.ts';

/** Keeps the order, and the time of the first of each. */
export function foldRefusals(
  events: readonly (AuditEvent | AuditGap)[],
): readonly (AuditEvent | AuditGap)[] {
  const folded: (AuditEvent | AuditGap)[] = [];
  const refused = new Map<string, number>();
  for (const event of events) {
    if (event.action === 'gap' || event.decision !== 'refused') {
      folded.push(event);
      continue;
    }
    const kind = kindOf(event);
    const at = refused.get(kind);
    const first = at === undefined ? undefined : folded[at];
    if (at === undefined || first === undefined || first.action === 'gap') {
      refused.set(kind, folded.length);
      folded.push(event);
      continue;
    }
    folded[at] = { ...first, times: (first.times ?? 1) + (event.times ?? 1) };
  }
  return folded;
}

function kindOf({ user, credential, action, subject, rule }: AuditEvent): string {
  return JSON.stringify([user, credential, action, subject, rule]);
}
