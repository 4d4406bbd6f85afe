/**
 * What a process counts, for Prometheus on its admin port and, if asked for, over OTLP. Labels come
 * from closed lists: tools, faults, shards. A tenant's id is never one, since tenants have no bound.
 */
import type { Attributes, Meter, MetricOptions } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

export interface Counter<Label extends string> {
  add(labels: Readonly<Record<Label, string>>, by?: number): void;
}

export interface Histogram<Label extends string> {
  record(seconds: number, labels: Readonly<Record<Label, string>>): void;
}

/** One number of a gauge with its labels. */
export type Sample = readonly [value: number, labels?: Attributes];

export interface Metrics {
  counter<Label extends string>(
    name: string,
    description: string,
    labels: readonly Label[],
  ): Counter<Label>;
  /** Of durations in seconds. */
  histogram<Label extends string>(name: string, description: string): Histogram<Label>;
  /** `read` is asked whenever somebody looks; what it leaves out is not told. */
  gauge(name: string, description: string, read: () => Iterable<Sample>): void;
  /** The same for a number that only grows. */
  total(name: string, description: string, read: () => Iterable<Sample>): void;
  /** Everything in Prometheus' text format. */
  scrape(): Promise<string>;
}

/** From one exchange with Redis to the longest call that a client waits for. */
const secondsBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** `further` meters get the same instruments: those of an OTLP exporter. */
export function createMetrics(...further: readonly Meter[]): Metrics {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer('', false, undefined, true, true);
  const own = new MeterProvider({ readers: [reader] }).getMeter('agent-mesh');
  const meters = [own, ...further];

  const observe = (
    create: (meter: Meter) => ReturnType<Meter['createObservableGauge']>,
    read: () => Iterable<Sample>,
  ): void => {
    for (const meter of meters) {
      create(meter).addCallback((result) => {
        for (const [value, labels] of read()) result.observe(value, labels);
      });
    }
  };

  return {
    counter(name, description, labels) {
      const tally = new Map<string, { n: number; readonly labels: Attributes }>();
      observe(
        (meter) => meter.createObservableCounter(name, { description }),
        () => [...tally.values()].map(({ n, labels }): Sample => [n, labels]),
      );
      return {
        // Counted here and told when asked: a twentieth of what the SDK takes for it.
        add(values, by = 1) {
          let key = '';
          for (const label of labels) key += `${values[label]} `;
          const counted = tally.get(key);
          if (counted) counted.n += by;
          else tally.set(key, { n: by, labels: values });
        },
      };
    },
    histogram(name, description) {
      const options: MetricOptions = {
        description,
        unit: 's',
        advice: { explicitBucketBoundaries: secondsBuckets },
      };
      const each = meters.map((meter) => meter.createHistogram(name, options));
      return {
        record(seconds, labels) {
          for (const histogram of each) histogram.record(seconds, labels);
        },
      };
    },
    gauge(name, description, read) {
      observe((meter) => meter.createObservableGauge(name, { description }), read);
    },
    total(name, description, read) {
      observe((meter) => meter.createObservableCounter(name, { description }), read);
    },
    async scrape() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
  };
}
