/** Answers of the services that speak JSON: an output, or an error by the name the real service gives it. */
import type { ServerResponse } from 'node:http';
import type { AwsError } from './aws-error.ts';
import type { JsonService } from './operation.ts';

const defaultContentType = 'application/x-amz-json-1.0';

export function answerJson(response: ServerResponse, service: JsonService, output: unknown): void {
  const body = Buffer.from(output === undefined ? service.emptyBody : JSON.stringify(output));
  response.writeHead(200, {
    'content-type': service.contentType,
    'content-length': body.byteLength,
  });
  response.end(body);
}

export function refuseJson(
  response: ServerResponse,
  service: JsonService | undefined,
  error: AwsError,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { queryError, ...members } = error.members;
  // SQS kept the error names of its older protocol in this header.
  if (typeof queryError === 'string') {
    response.setHeader('x-amzn-query-error', `${queryError};Sender`);
  }
  response.writeHead(error.status, {
    'content-type': service?.contentType ?? defaultContentType,
  });
  response.end(
    JSON.stringify({
      __type: `${service?.errorNamespace ?? ''}${error.code}`,
      message: error.message,
      ...members,
    }),
  );
}
