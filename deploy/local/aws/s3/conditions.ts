/** If-Match and its kin: whether a read or a write may go ahead, given what is there. */
import type { IncomingHttpHeaders } from 'node:http';
import { AwsError } from '../aws-error.ts';
import type { StoredObject } from './object-store.ts';
import { header, noSuchKey } from './s3-request.ts';

/** @throws {AwsError} PreconditionFailed, or NotModified, which has status 304 and no body. */
export function checkReadConditions(headers: IncomingHttpHeaders, object: StoredObject): void {
  const ifMatch = header(headers, 'if-match');
  const ifNoneMatch = header(headers, 'if-none-match');
  const since = epochSeconds(header(headers, 'if-modified-since'));
  const unchangedSince = epochSeconds(header(headers, 'if-unmodified-since'));
  const modifiedAt = Math.floor(object.modifiedAt / 1_000);
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, object)) throw preconditionFailed();
  } else if (unchangedSince !== undefined && modifiedAt > unchangedSince) {
    throw preconditionFailed();
  }
  const notModified =
    ifNoneMatch === undefined
      ? since !== undefined && modifiedAt <= since
      : matches(ifNoneMatch, object);
  if (notModified) {
    throw new AwsError('NotModified', 'Not Modified', 304, { headers: { etag: object.etag } });
  }
}

/** @throws {AwsError} PreconditionFailed, or NoSuchKey for an If-Match on nothing. */
export function checkWriteConditions(
  headers: IncomingHttpHeaders,
  object: StoredObject | undefined,
): void {
  const ifMatch = header(headers, 'if-match');
  const ifNoneMatch = header(headers, 'if-none-match');
  if (ifNoneMatch !== undefined && ifNoneMatch !== '*') {
    throw new AwsError('NotImplemented', 'If-None-Match takes only * on a write', 501);
  }
  if (ifNoneMatch === '*' && object) throw preconditionFailed();
  if (ifMatch === undefined) return;
  if (!object) throw noSuchKey('');
  if (!matches(ifMatch, object)) throw preconditionFailed();
}

function matches(condition: string, { etag }: StoredObject): boolean {
  if (condition.trim() === '*') return true;
  return condition.split(',').some((tag) => unquoted(tag) === unquoted(etag));
}

function unquoted(tag: string): string {
  return tag.trim().replaceAll('"', '');
}

function epochSeconds(date: string | undefined): number | undefined {
  const ms = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1_000);
}

function preconditionFailed(): AwsError {
  return new AwsError(
    'PreconditionFailed',
    'At least one of the pre-conditions you specified did not hold',
    412,
  );
}
