/** Counts of requests in Prometheus text. Tenants never become labels: their number has no bound. */
import type { RequestRecord } from './http.ts';

export interface RequestMetrics {
  count(record: RequestRecord): void;
  render(inFlight: number): string;
}

export function createRequestMetrics(): RequestMetrics {
  const byStatus = new Map<number, number>();
  return {
    count({ status }) {
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    },
    render(inFlight) {
      const requests = [...byStatus].map(
        ([status, count]) => `agent_mesh_ingress_requests_total{status="${status}"} ${count}`,
      );
      return [
        '# HELP agent_mesh_ingress_in_flight Requests without a whole answer yet.',
        '# TYPE agent_mesh_ingress_in_flight gauge',
        `agent_mesh_ingress_in_flight ${inFlight}`,
        '# HELP agent_mesh_ingress_requests_total Requests answered, by HTTP status.',
        '# TYPE agent_mesh_ingress_requests_total counter',
        ...requests,
        '',
      ].join('\n');
    },
  };
}
