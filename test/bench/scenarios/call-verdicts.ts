/** What a call must cost, and how we must compare with the best of the others. */
import type { PointFigures } from './calls.ts';
import { atLeast, atMost, type Verdict } from './scenario.ts';

const mesh = 'mesh';
/** No MCP server, so it competes with none. */
const floor = 'floor';
const cpuLimits = { ingress: 50, worker: 20, redis: 55 };
const leastAgainstBest = new Map([
  [16, 1.25],
  [64, 1.6],
]);

export function callVerdicts(points: readonly PointFigures[]): readonly Verdict[] {
  const peers = points.filter(({ target }) => target !== mesh && target !== floor);
  return points
    .filter(({ target }) => target === mesh)
    .flatMap((ours) => [...againstBest(ours, peers), ...cpuOf(ours), ...sequential(ours, peers)]);
}

/** The best peer in whichever era suits it most. */
function againstBest(ours: PointFigures, peers: readonly PointFigures[]): readonly Verdict[] {
  const least = leastAgainstBest.get(ours.inFlight);
  const rivals = peers.filter(({ inFlight }) => inFlight === ours.inFlight);
  const [best] = [...rivals].sort((a, b) => b.callsPerSecond - a.callsPerSecond);
  if (least === undefined || best === undefined) return [];
  const what = `calls a second, ${ours.inFlight} in flight, ${ours.era}, against ${best.target}`;
  return [atLeast(what, ours.callsPerSecond / best.callsPerSecond, least, ' ×')];
}

function cpuOf({ era, inFlight, cpuUs }: PointFigures): readonly Verdict[] {
  if (inFlight !== 64) return [];
  return Object.entries(cpuLimits).map(([name, most]) =>
    atMost(`CPU a call of ${name}, 64 in flight, ${era}`, cpuUs[name] ?? Number.NaN, most, ' µs'),
  );
}

function sequential(ours: PointFigures, peers: readonly PointFigures[]): readonly Verdict[] {
  const sdk = peers.find(
    ({ target, era, inFlight }) => target === 'sdk-v2' && era === ours.era && inFlight === 1,
  );
  if (ours.inFlight !== 1 || !sdk) return [];
  const what = `sequential p50, ${ours.era}, against sdk-v2`;
  return [atMost(what, ours.p50Ms / sdk.p50Ms, 1.5, ' ×')];
}
