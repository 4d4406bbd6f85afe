/** A cluster under load is replaced process by process with a build that writes newer messages. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { startChild, type Child } from '../../deploy/local/child.ts';
import { keyedInvocationId, TenantId, UserId } from '../../shared/ids.ts';
import { storedReply } from '../../shared/queue/names.ts';
import { callTool, type Answer } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';
import { makeNewerBuild, type NewerBuild } from '../support/newer-build.ts';

const rates = 'requestsPerMinute: 1000000, userRequestsPerMinute: 1000000';
const tenants = `
tenants:
  - { id: acme, limits: { concurrency: 6, ${rates} }, users: [{ id: ann, role: Admin }] }
`;
const acme = TenantId.parse('acme');
const ann = UserId.parse('ann');
const callers = 8;
const stopTimeoutMs = 40_000;
/** Between the word to a load balancer and the end of the process that it named. */
const balancerMs = 300;

const Ready = z.object({ admin: z.string(), mcp: z.string().optional() });
type Process = Child<{ readonly admin: string; readonly mcp?: string | undefined }>;
type Kind = 'ingress' | 'worker';

let newer: NewerBuild;
beforeAll(async () => {
  newer = await makeNewerBuild();
});
afterAll(() => newer[Symbol.asyncDispose]());

interface Upgrade extends AsyncDisposable {
  readonly redis: Redis;
  readonly load: Load;
  start(build: 'old' | 'new', kind: Kind): Promise<Process>;
  /** All of one kind, one after another, each by one of the new build. */
  replace(kind: Kind): Promise<void>;
}

async function startUpgrade(): Promise<Upgrade> {
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(
    await startTestCluster({ tenants, ingresses: 2, workers: 2, diagnostics: true }),
  );
  const redis = new Redis(cluster.redis);
  undo.defer(() => redis.disconnect());
  const running: Record<Kind, Process[]> = {
    ingress: [...cluster.ingresses],
    worker: [...cluster.workers],
  };
  const load = startLoad(running.ingress, await createKey(cluster, acme, ann));
  undo.defer(async () => {
    await load.stop();
    const later = Object.values(running).flat();
    await Promise.all(later.map((each) => each.stop(stopTimeoutMs)));
  });

  let started = 0;
  const start: Upgrade['start'] = async (build, kind) => {
    const path = `services/${kind}/main.ts`;
    const process = await startChild({
      name: `${build}-${kind}-${(started += 1)}`,
      script: build === 'new' ? newer.script(path) : path,
      environment: environmentOf(cluster),
      logDir: cluster.folder.logs,
      ready: Ready,
    });
    running[kind].push(process);
    return process;
  };
  const all = undo.move();
  return {
    redis,
    load,
    start,
    async replace(kind) {
      for (const old of [...running[kind]]) {
        await start('new', kind);
        await sleep(balancerMs);
        running[kind].splice(running[kind].indexOf(old), 1);
        await sleep(balancerMs);
        expect(await old.stop(stopTimeoutMs)).toBe(true);
      }
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

function environmentOf({ redis, aws }: TestCluster): NodeJS.ProcessEnv {
  return {
    ...process.env,
    REDIS_URL: redis,
    AWS_REGION: aws.region,
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_ACCESS_KEY_ID: aws.credentials?.accessKeyId,
    AWS_SECRET_ACCESS_KEY: aws.credentials?.secretAccessKey,
    AGENT_MESH_DIAGNOSTICS: 'true',
    LOG_LEVEL: 'warn',
    PORT: '0',
    ADMIN_PORT: '0',
  };
}

interface Load {
  /** What was not answered as it should have been. */
  readonly failures: readonly string[];
  /** Idempotency keys of answered calls, in order. */
  readonly keys: readonly string[];
  call(key: string): Promise<Answer>;
  stop(): Promise<void>;
}

/** Calls with a key, of which every one is repeated at once, through whichever ingress comes next. */
function startLoad(ingresses: readonly Process[], apiKey: string): Load {
  const failures: string[] = [];
  const keys: string[] = [];
  let made = 0;
  const stopping = new AbortController();
  const call = (key: string): Promise<Answer> => {
    made += 1;
    const mcp = ingresses[made % ingresses.length]?.ready.mcp ?? '';
    const meta = { 'agent-mesh/idempotencyKey': key };
    return callTool({ mcp, apiKey }, 'diagnostics_sleep', { ms: 20 }, meta);
  };
  const callForEver = async (caller: number): Promise<void> => {
    for (let i = 0; !stopping.signal.aborted; i += 1) {
      const key = `${caller}-${i}`;
      const answers = await Promise.allSettled([call(key), call(key)]);
      for (const answer of answers) {
        const isRight =
          answer.status === 'fulfilled' &&
          answer.value.message?.result?.structuredContent?.['slept'] === 20;
        if (!isRight) failures.push(`${key}: ${JSON.stringify(answer)}`);
      }
      keys.push(key);
    }
  };
  const running = Promise.all(Array.from({ length: callers }, (_, i) => callForEver(i)));
  return {
    failures,
    keys,
    call,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** In which version the reply to a call was stored. */
async function versionOf(redis: Redis, key: string): Promise<number> {
  const id = keyedInvocationId(acme, ann, 'diagnostics_sleep', key);
  const stored = (await redis.get(storedReply(0, id))) ?? '';
  return Number(/\{"v":(\d+)/.exec(stored)?.[1]);
}

/** Lets the load go on for a while, and tells in which versions the calls of that time were written. */
async function versionsFromNow({ load, redis }: Upgrade): Promise<readonly number[]> {
  // A call that is under way was written before.
  const from = load.keys.length + callers;
  await expect.poll(() => load.keys.length, { timeout: 20_000 }).toBeGreaterThan(from + 40);
  const keys = load.keys.slice(from);
  const versions = await Promise.all(keys.map((key) => versionOf(redis, key)));
  return [...new Set(versions)];
}

test.each([
  ['workers', 'ingresses'],
  ['ingresses', 'workers'],
])(
  'the new build comes with its %s first, then its %s: every call is answered',
  async (first) => {
    await using upgrade = await startUpgrade();
    const { load } = upgrade;
    /** Word of who comes and leaves takes its time. */
    const expectVersion = (version: number) =>
      expect.poll(() => versionsFromNow(upgrade), { timeout: 20_000 }).toEqual([version]);
    const kinds =
      first === 'workers' ? (['worker', 'ingress'] as const) : (['ingress', 'worker'] as const);
    expect(await versionsFromNow(upgrade)).toEqual([1]);
    await upgrade.replace(kinds[0]);
    expect(await versionsFromNow(upgrade)).toEqual([1]);
    await upgrade.replace(kinds[1]);
    await expectVersion(2);

    // One of the old build comes late, finds newer messages, and everybody writes older ones again.
    const late = await upgrade.start('old', 'worker');
    await expectVersion(1);
    expect(await late.stop(stopTimeoutMs)).toBe(true);

    // What was answered by the old build is still known to the new one.
    const repeated = await load.call(load.keys[0] ?? '');
    expect(repeated.message?.result?.structuredContent).toEqual({ slept: 20 });
    await load.stop();
    expect(load.failures).toEqual([]);
  },
  300_000,
);
