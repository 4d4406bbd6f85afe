/** A collector that understands OTLP over HTTP as JSON, and keeps what it is sent. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { expect } from 'vitest';
import { z } from 'zod';

const Attributes = z
  .array(
    z.object({
      key: z.string(),
      value: z.object({
        stringValue: z.string().optional(),
        intValue: z.coerce.number().optional(),
        doubleValue: z.number().optional(),
      }),
    }),
  )
  .default([])
  .transform((list) =>
    Object.fromEntries(
      list.map(({ key, value }) => [
        key,
        value.stringValue ?? value.intValue ?? value.doubleValue ?? '',
      ]),
    ),
  );

const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().default(''),
  name: z.string(),
  kind: z.number(),
  attributes: Attributes,
  startTimeUnixNano: z.coerce.bigint(),
  endTimeUnixNano: z.coerce.bigint(),
  status: z.object({ code: z.number().optional(), message: z.string().optional() }).default({}),
});
export type Span = z.output<typeof Span> & { readonly service: string };

const Traces = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(Span) })),
    }),
  ),
});

export interface Collector extends AsyncDisposable {
  /** For the processes that are to send here. */
  readonly environment: Readonly<Record<string, string>>;
  readonly spans: readonly Span[];
  /** Bodies that were sent as metrics. */
  readonly metrics: readonly string[];
  /** Everything that was ever sent, as it came. */
  readonly sent: readonly string[];
  /** The spans of a trace, once `enough` holds of them. */
  trace(traceId: string, enough: (spans: readonly Span[]) => boolean): Promise<readonly Span[]>;
}

export async function startCollector(): Promise<Collector> {
  const spans: Span[] = [];
  const metrics: string[] = [];
  const sent: string[] = [];
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    void read(request).then((body) => {
      sent.push(body);
      if (request.url === '/v1/traces') spans.push(...toSpans(body));
      else metrics.push(body);
      return response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
      OTEL_METRIC_EXPORT_TIMEOUT: '400',
    },
    spans,
    metrics,
    sent,
    async trace(traceId, enough) {
      const found = (): Span[] => spans.filter((span) => span.traceId === traceId);
      await expect.poll(() => enough(found()), { timeout: 15_000 }).toBe(true);
      return found();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function toSpans(body: string): Span[] {
  return Traces.parse(JSON.parse(body)).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(resource.attributes['service.name']);
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service })));
  });
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString('utf8');
}
