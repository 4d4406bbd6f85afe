/**
 * AWS Signature Version 4: reads a request's signature from its header or its query (presigned)
 * and checks it against the secret of the key it names. Answers each refusal as the service asked
 * would name it.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AwsError } from './aws-error.ts';

export interface SignedRequest {
  readonly method: string;
  /** As it came over the wire, still encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export interface Signature {
  readonly accessKeyId: string;
  readonly scopeDate: string;
  readonly region: string;
  /** The service the request is signed for: dynamodb, s3, sqs, events, secretsmanager, sts. */
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** YYYYMMDDTHHMMSSZ */
  readonly time: string;
  readonly sessionToken: string | undefined;
  /** Seconds from `time`; absent unless presigned. */
  readonly expires: number | undefined;
}

/** What the holder of an access key must show. */
export interface Secret {
  readonly secretAccessKey: string;
  /** Absent for long-term keys. */
  readonly sessionToken?: string;
  /** Epoch milliseconds; absent for long-term keys. */
  readonly expiresAt?: number;
}

const algorithm = 'AWS4-HMAC-SHA256';
const maxSkewMs = 900_000;
const maxPresignedSeconds = 604_800;

/** Undefined if the request carries no signature of this version. */
export function readSignature(request: SignedRequest): Signature | undefined {
  const header = request.headers.authorization;
  const fields = header?.startsWith(`${algorithm} `) ? headerFields(header) : queryFields(request);
  if (!fields) return undefined;
  const [accessKeyId, scopeDate, region, service, terminator] = fields.credential.split('/');
  if (!accessKeyId || !scopeDate || !region || !service || terminator !== 'aws4_request') {
    throw new AwsError('IncompleteSignatureException', 'Credential is not a valid scope.', 403);
  }
  return { accessKeyId, scopeDate, region, service, ...fields };
}

function headerFields(header: string) {
  const fields = new Map<string, string>();
  for (const part of header.slice(algorithm.length + 1).split(',')) {
    const [name = '', ...value] = part.trim().split('=');
    fields.set(name, value.join('='));
  }
  return {
    credential: fields.get('Credential') ?? '',
    signedHeaders: (fields.get('SignedHeaders') ?? '').split(';'),
    signature: fields.get('Signature') ?? '',
    time: '',
    sessionToken: undefined,
    expires: undefined,
  };
}

function queryFields({ query }: SignedRequest) {
  if (query.get('X-Amz-Algorithm') !== algorithm) return undefined;
  return {
    credential: query.get('X-Amz-Credential') ?? '',
    signedHeaders: (query.get('X-Amz-SignedHeaders') ?? '').split(';'),
    signature: query.get('X-Amz-Signature') ?? '',
    time: query.get('X-Amz-Date') ?? '',
    sessionToken: query.get('X-Amz-Security-Token') ?? undefined,
    expires: Number(query.get('X-Amz-Expires')),
  };
}

/**
 * `bodyHash` is what the client signed in place of the body; whoever reads the body compares it.
 * @throws {AwsError} unless the signature is good, in time, and of a living key.
 */
export function verifySignature(
  request: SignedRequest,
  signature: Signature,
  secret: Secret | undefined,
  bodyHash: string,
): asserts secret is Secret {
  const refuse = refusals(signature.service);
  const presigned = signature.expires !== undefined;
  const time = presigned ? signature.time : (one(request.headers['x-amz-date']) ?? '');
  const token = presigned ? signature.sessionToken : one(request.headers['x-amz-security-token']);
  if (!secret || secret.sessionToken !== token) throw refuse.unknownKey();
  if (secret.expiresAt !== undefined && secret.expiresAt <= Date.now()) throw refuse.expiredToken();

  const sentAt = epochMs(time);
  if (!time.startsWith(signature.scopeDate)) throw refuse.mismatch();
  checkTime(sentAt, signature.expires, refuse);
  if (!signature.signedHeaders.includes('host')) throw refuse.mismatch();

  const scope = `${signature.scopeDate}/${signature.region}/${signature.service}/aws4_request`;
  const canonical = canonicalRequest(request, signature, bodyHash);
  const toSign = `${algorithm}\n${time}\n${scope}\n${sha256Hex(canonical)}`;
  const expected = hmac(signingKey(secret.secretAccessKey, scope), toSign);
  const given = Buffer.from(signature.signature, 'hex');
  if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) {
    throw refuse.mismatch();
  }
}

function checkTime(sentAt: number, expires: number | undefined, refuse: Refusals): void {
  const age = Date.now() - sentAt;
  if (expires === undefined) {
    if (!(Math.abs(age) <= maxSkewMs)) throw refuse.skewed();
    return;
  }
  if (!(expires >= 1 && expires <= maxPresignedSeconds)) {
    throw new AwsError(
      'AuthorizationQueryParametersError',
      'X-Amz-Expires must be between 1 and 604800 seconds',
    );
  }
  if (!(age >= -maxSkewMs)) throw new AwsError('AccessDenied', 'Request is not yet valid', 403);
  if (age > expires * 1_000) throw new AwsError('AccessDenied', 'Request has expired', 403);
}

type Refusals = ReturnType<typeof refusals>;

/** The same refusals bear different names at the services of each protocol. */
function refusals(service: string) {
  const mismatch =
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.';
  const unknown = 'The security token included in the request is invalid.';
  const expired = 'The security token included in the request is expired';
  if (service === 's3') {
    return {
      mismatch: () => new AwsError('SignatureDoesNotMatch', mismatch, 403),
      skewed: () =>
        new AwsError(
          'RequestTimeTooSkewed',
          'The difference between the request time and the current time is too large.',
          403,
        ),
      unknownKey: () =>
        new AwsError(
          'InvalidAccessKeyId',
          'The AWS Access Key Id you provided does not exist in our records.',
          403,
        ),
      expiredToken: () => new AwsError('ExpiredToken', 'The provided token has expired.', 400),
    };
  }
  const isQuery = service === 'sts';
  const mismatchCode = isQuery ? 'SignatureDoesNotMatch' : 'InvalidSignatureException';
  return {
    mismatch: () => new AwsError(mismatchCode, mismatch, 403),
    skewed: () =>
      new AwsError(mismatchCode, 'Signature expired: the request time is too far off.', 403),
    unknownKey: () =>
      new AwsError(isQuery ? 'InvalidClientTokenId' : 'UnrecognizedClientException', unknown, 403),
    expiredToken: () =>
      new AwsError(isQuery ? 'ExpiredToken' : 'ExpiredTokenException', expired, 403),
  };
}

function canonicalRequest(request: SignedRequest, signature: Signature, bodyHash: string): string {
  const headers = signature.signedHeaders
    .map((name) => `${name}:${canonicalValue(request.headers[name])}\n`)
    .join('');
  return [
    request.method,
    canonicalPath(request.path, signature.service),
    canonicalQuery(request.query),
    headers,
    signature.signedHeaders.join(';'),
    bodyHash,
  ].join('\n');
}

/** S3 signs the path encoded once, every other service twice. */
function canonicalPath(path: string, service: string): string {
  if (path === '/') return path;
  return path
    .split('/')
    .map((segment) => encode(decodeURIComponent(segment)))
    .map((segment) => (service === 's3' ? segment : encode(segment)))
    .join('/');
}

function canonicalQuery(query: URLSearchParams): string {
  if (query.size === 0) return '';
  return [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
}

function canonicalValue(value: string | string[] | undefined): string {
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text.trim().replace(/\s+/g, ' ');
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function epochMs(time: string): number {
  return Date.parse(
    time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'),
  );
}

/** Percent-encoding of everything but unreserved characters. */
export function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Uint8Array, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

const signingKeys = new Map<string, Buffer>();
const maxSigningKeys = 1_000;

/** Four HMACs, the same all day for one key, region and service. */
function signingKey(secretAccessKey: string, scope: string): Buffer {
  const id = `${secretAccessKey}/${scope}`;
  const known = signingKeys.get(id);
  if (known) return known;
  let key: string | Buffer = `AWS4${secretAccessKey}`;
  for (const part of scope.split('/')) key = hmac(key, part);
  if (signingKeys.size >= maxSigningKeys) signingKeys.clear();
  const derived = Buffer.from(key);
  signingKeys.set(id, derived);
  return derived;
}
