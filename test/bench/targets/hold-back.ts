/** Lets a tenant's calls queue up: a cap of 0, until told otherwise, as an operator would set it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { TenantId } from '../../../shared/ids.ts';
import { queueKey } from '../../../shared/queue/names.ts';
import { createAnnouncer } from '../../../shared/tenants/announce-tenant.ts';
import { withTenantStore } from '../../support/keys.ts';
import type { MeshTarget } from './mesh.ts';
import { benchTenantId } from './write-tenants.ts';

const lookEveryMs = 20;
const patienceMs = 5_000;

export interface HeldBack {
  letGo(): Promise<void>;
}

export async function holdBack({ cluster }: MeshTarget, tenant: number): Promise<HeldBack> {
  const id = TenantId.parse(benchTenantId(tenant));

  /** Resolves with the cap so far. */
  async function setCap(concurrency: number): Promise<number> {
    const redis = new Redis(cluster.redis);
    try {
      return await withTenantStore(cluster, async (store) => {
        const stored = await store.readTenant(id);
        if (!stored) throw new Error(`there is no ${id}`);
        const limits = { ...stored.limits, concurrency };
        const written = await store.writeTenant({ ...stored, limits }, stored.version);
        await createAnnouncer(redis)(written);
        return stored.limits.concurrency;
      });
    } finally {
      redis.disconnect();
    }
  }

  const cap = await setCap(0);
  return { letGo: async () => void (await setCap(cap)) };
}

/** Until they all wait, or no more of them come, since some were refused. */
export async function untilQueued(
  { cluster }: MeshTarget,
  tenant: number,
  calls: number,
): Promise<void> {
  const redis = new Redis(cluster.redis);
  const line = queueKey(0, TenantId.parse(benchTenantId(tenant)), 'wait');
  let waiting = 0;
  for (let grewAt = Date.now(); waiting < calls && Date.now() - grewAt < patienceMs;) {
    await sleep(lookEveryMs);
    const now = await redis.llen(line);
    if (now > waiting) grewAt = Date.now();
    waiting = now;
  }
  redis.disconnect();
}
