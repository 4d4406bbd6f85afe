/** One S3 request, taken apart, and what it is answered with. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Caller } from '../access.ts';
import { AwsError } from '../aws-error.ts';
import type { Elements } from '../xml.ts';

export interface S3Request {
  readonly method: string;
  /** Empty for requests to the account itself. */
  readonly bucket: string;
  /** Empty for requests to the bucket itself. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly message: IncomingMessage;
  /** As the client signed it: a SHA-256, or a word in its place. */
  readonly bodyHash: string;
  readonly caller: Caller;
}

export interface S3Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Root element and content. */
  readonly xml?: readonly [root: string, content: Elements];
  readonly stream?: AsyncIterable<Buffer>;
  /** Run after the answer's changes are on file. */
  readonly afterwards?: () => Promise<void>;
}

export const s3Namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** @throws {AwsError} for a path that is not UTF-8. */
export function splitPath(path: string): { bucket: string; key: string } {
  const slash = path.indexOf('/', 1);
  const [bucket, key] =
    slash < 0 ? [path.slice(1), ''] : [path.slice(1, slash), path.slice(slash + 1)];
  try {
    return { bucket: decodeURIComponent(bucket), key: decodeURIComponent(key) };
  } catch {
    throw new AwsError('InvalidURI', "Couldn't parse the specified URI.");
  }
}

export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

export function noSuchKey(key: string): AwsError {
  return new AwsError('NoSuchKey', 'The specified key does not exist.', 404, { Key: key });
}

export function accessDenied(message = 'Access Denied'): AwsError {
  return new AwsError('AccessDenied', message, 403);
}

export function notImplemented(what: string): AwsError {
  return new AwsError(
    'NotImplemented',
    `A header or operation you provided implies functionality that is not implemented: ${what} is not supported by the local AWS`,
    501,
  );
}
