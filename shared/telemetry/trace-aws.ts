/** A span for each request to AWS, retries included, below the call that it is part of. */
import { context, SpanKind, trace, type Tracer } from '@opentelemetry/api';
import type { AwsMiddleware } from '../aws/clients.ts';
import { inSpan, setFailure } from './spans.ts';

export function traceAws(tracer: Tracer): AwsMiddleware {
  return (next, { clientName = 'AWS', commandName = 'Request' }) =>
    async (args) => {
      if (!trace.getActiveSpan()?.isRecording()) return next(args);
      const service = clientName.replace(/Client$/, '');
      const operation = commandName.replace(/Command$/, '');
      const name = `${service}/${operation}`;
      const piece = {
        name,
        kind: SpanKind.CLIENT,
        parent: context.active(),
        attributes: { 'rpc.system.name': 'aws-api', 'rpc.method': name },
      };
      return inSpan(tracer, piece, async (span) => {
        try {
          return await next(args);
        } catch (thrown) {
          setFailure(span, thrown instanceof Error ? thrown.name : 'unknown');
          throw thrown;
        }
      });
    };
}
