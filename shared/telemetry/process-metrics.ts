/** What any process tells of itself. Names without the project's are those that Prometheus' own clients use. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics, Sample } from './metrics.ts';

const nanosecondsPerSecond = 1e9;
const microsecondsPerSecond = 1e6;

/** Returns a function that stops the measuring. */
export function observeProcess(
  metrics: Metrics,
  facts: { readonly service: string; readonly version: string },
): () => void {
  const { service, version } = facts;
  const delay = monitorEventLoopDelay();
  delay.enable();
  metrics.gauge('agent_mesh_build_info', 'Always 1; what runs here', () => [
    [1, { service, version }],
  ]);
  metrics.gauge(
    'agent_mesh_event_loop_delay_seconds',
    'How late timers ran since somebody last looked',
    () => {
      const samples: Sample[] = [50, 99, 100].map((percentile) => [
        delay.percentile(percentile) / nanosecondsPerSecond,
        { quantile: String(percentile / 100) },
      ]);
      delay.reset();
      return samples;
    },
  );
  metrics.total('process_cpu_seconds_total', 'User and system CPU time', () => {
    const { user, system } = process.cpuUsage();
    return [[(user + system) / microsecondsPerSecond]];
  });
  metrics.gauge('process_resident_memory_bytes', 'Resident memory', () => [
    [process.memoryUsage.rss()],
  ]);
  metrics.gauge('process_heap_used_bytes', 'Heap in use', () => [[process.memoryUsage().heapUsed]]);
  metrics.gauge('process_start_time_seconds', 'When it started, in seconds since 1970', () => [
    [Date.now() / 1_000 - process.uptime()],
  ]);
  return () => delay.disable();
}
