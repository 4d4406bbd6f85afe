/**
 * OpenTelemetry, where the standard OTEL_* variables ask for it: its SDK is not even loaded
 * otherwise, and nothing is wrapped. Metrics for Prometheus are there either way.
 */
import { diag, metrics, trace, type Meter, type Tracer } from '@opentelemetry/api';
import type { Log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';

export interface Telemetry {
  readonly metrics: Metrics;
  /** Absent if nobody wants traces. */
  readonly tracer: Tracer | undefined;
  /** Sends what is not sent yet. */
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Signal = 'TRACES' | 'METRICS';

export async function startTelemetry(
  service: string,
  environment: Environment,
  log: Log,
): Promise<Telemetry> {
  const traces = isWanted('TRACES', environment);
  const wantsMetrics = isWanted('METRICS', environment);
  if (!traces && !wantsMetrics) {
    return { metrics: createMetrics(), tracer: undefined, close: () => Promise.resolve() };
  }

  const { startNodeSdk } = await import('@opentelemetry/sdk-node');
  const { OTEL_SERVICE_NAME: name = `agent-mesh-${service}` } = environment;
  const sdk = startNodeSdk({
    resourceAttributes: { 'service.name': name, 'service.namespace': 'agent-mesh' },
    logRecordProcessors: [],
    ...(traces ? {} : { spanProcessors: [] }),
    ...(wantsMetrics ? {} : { metricReaders: [] }),
  });
  diag.setLogger(toDiagLogger(log), { suppressOverrideMessage: true });
  const meters: readonly Meter[] = wantsMetrics ? [metrics.getMeter('agent-mesh')] : [];
  return {
    metrics: createMetrics(...meters),
    tracer: traces ? trace.getTracer('agent-mesh') : undefined,
    close: () => sdk.shutdown(),
  };
}

/** By an exporter of its own, or an endpoint. */
function isWanted(signal: Signal, environment: Environment): boolean {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false;
  const exporter = environment[`OTEL_${signal}_EXPORTER`];
  if (exporter) return exporter !== 'none';
  const endpoints = [
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`,
    'OTEL_CONFIG_FILE',
  ];
  return endpoints.some((variable) => environment[variable]);
}

/** What the SDK says of itself, a collector that is away above all. */
function toDiagLogger(log: Log): Parameters<typeof diag.setLogger>[0] {
  const tell =
    (level: 'error' | 'warn' | 'info' | 'debug') =>
    (message: string): void =>
      log[level]({ said: message.slice(0, 500) }, 'OpenTelemetry');
  return {
    error: tell('error'),
    warn: tell('warn'),
    info: tell('debug'),
    debug: tell('debug'),
    verbose: tell('debug'),
  };
}
