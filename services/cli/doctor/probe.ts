/**
 * Tries a request that changes nothing, to learn whether it is allowed: a read of what is not there, or
 * a write on a condition that never holds, which AWS looks at only once the caller may write.
 */
import { failed, ok, type Check, type Finding } from './check.ts';

export interface Probe {
  /** As IAM calls it, such as `dynamodb:GetItem`. */
  readonly action: string;
  readonly on: string;
  readonly send: () => Promise<unknown>;
}

type Outcome = 'allowed' | 'denied' | 'missing';

const harmless = new Set(['ConditionalCheckFailedException', 'PreconditionFailed', 'NoSuchKey']);
const denied = new Set(['AccessDeniedException', 'AccessDenied']);
const missing = new Set(['ResourceNotFoundException', 'NoSuchBucket']);

/** Rejects with what AWS said if that tells neither. */
async function outcomeOf({ send }: Probe): Promise<Outcome> {
  try {
    await send();
    return 'allowed';
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (harmless.has(name)) return 'allowed';
    if (denied.has(name)) return 'denied';
    if (missing.has(name)) return 'missing';
    throw error;
  }
}

/** `who` is named in what to do. */
export const mayDo = (who: string, probe: Probe): Check => ({
  name: `${who} may ${probe.action} on ${probe.on}`,
  async run(): Promise<Finding> {
    const outcome = await outcomeOf(probe);
    if (outcome === 'allowed') return ok('allowed');
    if (outcome === 'missing') {
      return failed(
        `${probe.on} does not exist`,
        'mesh setup makes it, or the stack of deploy/aws; check AWS_REGION and the AGENT_MESH_* variables.',
      );
    }
    return failed(
      'AWS refuses it',
      `Allow ${probe.action} on ${probe.on}, as the stack of deploy/aws does.`,
    );
  },
});

export const mayNotDo = (who: string, probe: Probe): Check => ({
  name: `${who} may not ${probe.action} on ${probe.on}`,
  async run(): Promise<Finding> {
    const outcome = await outcomeOf(probe);
    if (outcome === 'denied') return ok('refused');
    return failed(
      'AWS allows it: nothing but the code keeps tenants apart',
      "Give the tenants' role deploy/aws/tenant-policy.json as its only policy.",
    );
  },
});
