/** Twenty tenants that call a mix of tools without end, and remember how every call was answered. */
import { setTimeout as sleep } from 'node:timers/promises';
import { callTool, type Answer } from '../support/call.ts';
import type { FaultFleet } from './fleet.ts';

export const tenants = Array.from({ length: 20 }, (_, i) => ({
  id: `tenant-${String(i).padStart(2, '0')}`,
  cap: 1 + (i % 8),
  /** The last three call now and then, and want to be answered soon. */
  quiet: i >= 17,
}));

export interface Ended {
  readonly tenant: string;
  readonly tool: string;
  readonly quiet: boolean;
  readonly startedAt: number;
  readonly endedAt: number;
  /** `ok`, a fault code, `http <status>`, or `cut` if the connection broke. */
  readonly outcome: string;
  /** Of an event: its number. */
  readonly event?: string;
}

export interface Load {
  readonly ended: Ended[];
  /** Starts nothing more, and resolves once everything is answered. */
  stop(): Promise<void>;
}

const busyPauseMs = 450;
const quietPauseMs = 250;
let events = 0;

export function startLoad(fleet: FaultFleet): Load {
  const ended: Ended[] = [];
  const stopping = new AbortController();
  const loops = tenants.flatMap((tenant) => {
    const many = tenant.quiet ? 1 : Math.min(tenant.cap + 1, 4);
    return Array.from({ length: many }, (_, i) => loop(tenant, i));
  });

  async function loop(tenant: (typeof tenants)[number], first: number): Promise<void> {
    const pauseMs = tenant.quiet ? quietPauseMs : busyPauseMs;
    await sleep(Math.random() * pauseMs);
    for (let i = first; !stopping.signal.aborted; i += 1) {
      ended.push(await callOnce(fleet, tenant, tenant.quiet ? 0 : i));
      await sleep(pauseMs * (0.5 + Math.random()), undefined, { signal: stopping.signal }).catch(
        () => undefined,
      );
    }
  }
  return {
    ended,
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

function pickTool(i: number): readonly [string, Readonly<Record<string, unknown>>] {
  const key = `k-${i % 7}`;
  switch (i % 6) {
    case 0:
      return ['kv_get', { key }];
    case 1:
      return ['kv_set', { key, value: `v-${i}` }];
    case 2:
      return ['diagnostics_sleep', { ms: 40 + ((i * 37) % 200) }];
    case 3:
      return ['events_send', { detailType: 'counted', detail: { n: `e-${(events += 1)}` } }];
    case 4:
      return [
        'artifacts_put',
        { key: `a-${i % 5}`, content: Buffer.from(`text ${i}`).toString('base64') },
      ];
    default:
      return ['artifacts_list', {}];
  }
}

export async function callOnce(
  fleet: FaultFleet,
  { id: tenant, quiet }: { readonly id: string; readonly quiet: boolean },
  i: number,
  given = pickTool(i),
): Promise<Ended> {
  const [tool, args] = given;
  const apiKey = fleet.keys.get(tenant) ?? '';
  const startedAt = Date.now();
  const ingress = fleet.ingresses[Math.floor(Math.random() * fleet.ingresses.length)];
  const mcp = ingress?.ready.mcp ?? '';
  const outcome =
    mcp === '' ? 'cut' : await callTool({ mcp, apiKey }, tool, args).then(outcomeOf, () => 'cut');
  const detail = args['detail'] as { readonly n?: string } | undefined;
  const event = detail?.n === undefined ? {} : { event: detail.n };
  return { tenant, tool, quiet, startedAt, endedAt: Date.now(), outcome, ...event };
}

function outcomeOf({ status, message }: Answer): string {
  if (status !== 200) return `http ${status}`;
  const { result, error } = message ?? {};
  const code = result?._meta?.['agent-mesh/fault'];
  if (typeof code === 'string') return code;
  if (result && !result.isError) return 'ok';
  return `rpc ${error?.code} ${error?.message}`;
}
