/** The whole cluster at a glance: what it does, who does it, and whether anything is wrong. */
import type { ClusterView, RedisView } from '../../shared/admin/api.ts';
import { Chart } from './chart.tsx';
import { bytes, count, duration, rate } from './format.ts';
import type { Live } from './live.ts';
import { Meter } from './meter.tsx';
import { Table } from './table.tsx';
import { Title } from './title.tsx';

export function ClusterPage({ live }: { readonly live: Live }) {
  const { views } = live;
  const now = views.at(-1);
  if (!now) return <Title text="Cluster" />;
  const times = views.map(({ at }) => at);
  return (
    <>
      <Title text="Cluster" />
      <Warnings view={now} />
      <Figures view={now} />
      <div class="charts">
        <Chart
          title="Calls a second"
          show={rate}
          times={times}
          lines={[
            { label: 'all', color: 'blue', values: views.map((v) => v.callsPerSecond) },
            { label: 'refused', color: 'red', values: views.map((v) => v.refusalsPerSecond) },
          ]}
        />
        <Chart
          title="Latency"
          show={duration}
          times={times}
          lines={[
            { label: 'median', color: 'blue', values: views.map((v) => v.p50 ?? null) },
            { label: '99th percentile', color: 'orange', values: views.map((v) => v.p99 ?? null) },
          ]}
        />
      </div>
      <Workers view={now} />
      <Ingresses view={now} />
      <RedisServers servers={now.redis} />
    </>
  );
}

function Figures({ view }: { readonly view: ClusterView }) {
  const { running, slots } = sums(view);
  const figures = [
    ['Calls a second', rate(view.callsPerSecond)],
    ['Refused a second', rate(view.refusalsPerSecond)],
    ['Median latency', view.p50 === undefined ? '–' : duration(view.p50)],
    ['99th percentile', view.p99 === undefined ? '–' : duration(view.p99)],
    ['Running', `${count(running)} of ${count(slots)}`],
    ['Waiting', count(Math.max(0, view.outstanding - running))],
    ['Tenants with work', count(view.busyTenants)],
  ] as const;
  return (
    <dl class="figures" aria-label="Now">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Said aloud when they change. */
function Warnings({ view }: { readonly view: ClusterView }) {
  const warnings = [
    ...(view.workers.length === 0 ? ['No worker is alive: calls wait until one comes.'] : []),
    ...(view.heldMs > 0
      ? [`Redis was restarted: nothing starts for another ${duration(view.heldMs)}.`]
      : []),
    ...view.redis.flatMap(warningsOf),
    ...(new Set([...view.workers, ...view.ingresses].map((each) => each.version)).size > 1
      ? ['Processes of more than one version are running.']
      : []),
  ];
  return (
    <div role="status" class="warnings">
      {warnings.map((text) => (
        <p key={text} class="warning">
          {text}
        </p>
      ))}
    </div>
  );
}

function warningsOf({ maxBytes, usedBytes, policy, persistenceOk }: RedisView): string[] {
  return [
    ...(maxBytes > 0 && usedBytes / maxBytes > 0.75
      ? ['Redis is nearly full: new work is refused above 75 % of maxmemory.']
      : []),
    ...(policy === 'noeviction'
      ? []
      : [`Redis may throw calls away: maxmemory-policy is ${policy}, not noeviction.`]),
    ...(persistenceOk ? [] : ['Redis does not write its append-only file: a restart loses calls.']),
  ];
}

function Workers({ view }: { readonly view: ClusterView }) {
  return (
    <Table
      caption="Workers"
      none="No worker is alive."
      columns={[
        { name: 'Name' },
        { name: 'Slots in use' },
        { name: 'State' },
        { name: 'Version' },
        { name: 'Host' },
        { name: 'Up', isNumber: true },
        { name: 'Last heard', isNumber: true },
      ]}
      rows={view.workers.map((worker) => ({
        key: worker.name,
        cells: [
          <code>{worker.name}</code>,
          <Meter label={`Slots of ${worker.name}`} used={worker.running} limit={worker.slots} />,
          worker.draining ? 'draining' : 'running',
          worker.version,
          worker.host,
          duration(worker.upMs),
          ago(worker.silentMs),
        ],
      }))}
    />
  );
}

function Ingresses({ view }: { readonly view: ClusterView }) {
  return (
    <Table
      caption="Ingresses"
      none="No ingress is alive."
      columns={[
        { name: 'Name' },
        { name: 'Requests in flight', isNumber: true },
        { name: 'State' },
        { name: 'Version' },
        { name: 'Host' },
        { name: 'Up', isNumber: true },
        { name: 'Last heard', isNumber: true },
      ]}
      rows={view.ingresses.map((ingress) => ({
        key: ingress.name,
        cells: [
          <code>{ingress.name}</code>,
          count(ingress.inFlight),
          ingress.draining ? 'draining' : 'running',
          ingress.version,
          ingress.host,
          duration(ingress.upMs),
          ago(ingress.silentMs),
        ],
      }))}
    />
  );
}

function RedisServers({ servers }: { readonly servers: readonly RedisView[] }) {
  return (
    <Table
      caption="Redis"
      none="Redis does not answer."
      columns={[
        { name: 'Version' },
        { name: 'Memory' },
        { name: 'Persistence' },
        { name: 'Replicas', isNumber: true },
        { name: 'Clients', isNumber: true },
        { name: 'Commands a second', isNumber: true },
      ]}
      rows={servers.map((server, at) => ({
        key: String(at),
        cells: [
          server.version,
          server.maxBytes > 0 ? (
            <Meter
              label="Memory of Redis"
              used={server.usedBytes}
              limit={server.maxBytes}
              show={bytes}
            />
          ) : (
            `${bytes(server.usedBytes)}, no limit`
          ),
          server.persistence,
          count(server.replicas),
          count(server.clients),
          count(server.commandsPerSecond),
        ],
      }))}
    />
  );
}

/** Nothing to say within two words of a process. */
const ago = (ms: number): string => (ms < 2_500 ? 'now' : `${duration(ms)} ago`);

function sums({ workers }: ClusterView) {
  return {
    running: workers.reduce((sum, worker) => sum + worker.running, 0),
    slots: workers.reduce((sum, worker) => sum + worker.slots, 0),
  };
}
