/** Is this Redis one that may carry the queue: version, policy, persistence, memory. */
import type { Redis } from 'ioredis';
import { highWater } from '../../../shared/queue/pressure.ts';
import { findUnfitness, readFacts, type RedisFacts } from '../../../shared/queue/redis-fitness.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';

const crowdedAbove = 0.5;

const judgements: Readonly<Record<string, (facts: RedisFacts) => Finding>> = {
  'Redis version': ({ version }) => {
    const problem = findUnfitness({ ...harmless, version });
    return problem === undefined ? ok(version ?? 'not told') : failed(problem, 'Upgrade it.');
  },
  'Redis eviction': ({ evictionPolicy }) => {
    const problem = findUnfitness({ ...harmless, evictionPolicy });
    if (problem !== undefined) return failed(problem, 'Until then nothing is admitted.');
    return ok(evictionPolicy ?? 'not told');
  },
  'Redis persistence': ({ appendsToFile }) =>
    appendsToFile === false
      ? warning(
          'no append-only file: a restart loses calls',
          'CONFIG SET appendonly yes; appendfsync always where a power failure must lose nothing.',
        )
      : ok(appendsToFile ? 'append-only file' : 'not told'),
  'Redis memory': ({ memoryShare }) => {
    if (memoryShare === 0) {
      return warning(
        'no maxmemory: the machine runs out of memory before calls are refused',
        'CONFIG SET maxmemory to what Redis may have.',
      );
    }
    const share = `${Math.round(memoryShare * 100)} % of maxmemory`;
    const more = 'Raise maxmemory, or find what fills it: mesh tenants usage.';
    if (memoryShare > highWater) return failed(`${share}: new calls are refused`, more);
    return memoryShare > crowdedAbove ? warning(share, more) : ok(share);
  },
};

/** With them a server has no flaw. */
const harmless: RedisFacts = {
  version: '7',
  evictionPolicy: 'noeviction',
  appendsToFile: true,
  memoryShare: 0,
};

const rank = { failed: 0, warning: 1, ok: 2 } as const;

/** Of several servers each line speaks of the worst. */
export function redisChecks(redis: Redis): readonly Check[] {
  let facts: Promise<readonly RedisFacts[]> | undefined;
  return Object.entries(judgements).map(([name, judge]) => ({
    name,
    async run() {
      facts ??= readFacts(redis);
      const found = (await facts).map(judge);
      const [worst = failed('no server answers', 'Is the cluster whole?')] = found.sort(
        (a, b) => rank[a.status] - rank[b.status],
      );
      return worst;
    },
  }));
}
