/** ListObjectsV2: keys by UTF-8 bytes, in pages, with everything up to a delimiter rolled into one prefix. */
import { AwsError } from '../aws-error.ts';
import { compareUtf8, lowerBound } from '../utf8-order.ts';
import { encode } from '../sigv4.ts';
import type { Elements } from '../xml.ts';
import type { ObjectStore } from './object-store.ts';
import type { S3Answer, S3Request } from './s3-request.ts';

const maxPage = 1_000;

export function listObjects({ bucket, query }: S3Request, store: ObjectStore): S3Answer {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const token = query.get('continuation-token');
  const after = token === null ? (query.get('start-after') ?? '') : fromToken(token);
  const limit = pageLimit(query.get('max-keys'));
  const page = pageOf(store.keys(bucket), { prefix, delimiter, after, limit });

  const encoding = query.get('encoding-type');
  if (encoding !== null && encoding !== 'url') {
    throw new AwsError('InvalidArgument', 'Invalid Encoding Method specified in Request');
  }
  const shown = encoding === 'url' ? urlEncode : (text: string) => text;
  const contents = page.keys.map((key): Elements[number] => {
    const object = store.get(bucket, key);
    if (!object) return undefined;
    return [
      'Contents',
      [
        ['Key', shown(key)],
        ['LastModified', new Date(object.modifiedAt).toISOString()],
        ['ETag', object.etag],
        ['Size', object.size],
        ['StorageClass', 'STANDARD'],
      ],
    ];
  });
  return {
    xml: [
      'ListBucketResult',
      [
        ['Name', bucket],
        ['Prefix', shown(prefix)],
        delimiter === '' ? undefined : ['Delimiter', shown(delimiter)],
        ['MaxKeys', limit],
        encoding === null ? undefined : ['EncodingType', encoding],
        ['KeyCount', page.keys.length + page.prefixes.length],
        ['IsTruncated', page.next !== undefined],
        token === null ? undefined : ['ContinuationToken', token],
        page.next === undefined ? undefined : ['NextContinuationToken', toToken(page.next)],
        ...contents,
        ...page.prefixes.map((name): Elements[number] => [
          'CommonPrefixes',
          [['Prefix', shown(name)]],
        ]),
      ],
    ],
  };
}

interface Page {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  /** The last key or prefix of the page, if there is more behind it. */
  readonly next: string | undefined;
}

function pageOf(
  all: readonly string[],
  wanted: {
    readonly prefix: string;
    readonly delimiter: string;
    readonly after: string;
    readonly limit: number;
  },
): Page {
  const { prefix, delimiter, after, limit } = wanted;
  const keys: string[] = [];
  const prefixes: string[] = [];
  let last: string | undefined;
  let position = lowerBound(all, (key) => compareUtf8(key, prefix));
  if (compareUtf8(after, prefix) >= 0) {
    const isRolledUp = delimiter !== '' && rollUp(after, prefix, delimiter) === after;
    position = isRolledUp ? behindPrefix(all, after) : behindKey(all, after);
  }
  for (;;) {
    const key = all[position];
    if (!key?.startsWith(prefix)) return { keys, prefixes, next: undefined };
    if (keys.length + prefixes.length >= limit) {
      return { keys, prefixes, next: limit === 0 ? undefined : last };
    }
    const common = delimiter === '' ? undefined : rollUp(key, prefix, delimiter);
    if (common === undefined) {
      keys.push(key);
      position += 1;
    } else {
      prefixes.push(common);
      position = behindPrefix(all, common);
    }
    last = common ?? key;
  }
}

/** The key up to the first delimiter behind the prefix, or undefined without one. */
function rollUp(key: string, prefix: string, delimiter: string): string | undefined {
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

function behindKey(all: readonly string[], key: string): number {
  return lowerBound(all, (other) => (compareUtf8(other, key) <= 0 ? -1 : 1));
}

/** Keys that share a prefix lie together. */
function behindPrefix(all: readonly string[], prefix: string): number {
  return lowerBound(all, (key) => {
    return key.startsWith(prefix) || compareUtf8(key, prefix) < 0 ? -1 : 1;
  });
}

function pageLimit(text: string | null): number {
  const limit = text === null ? maxPage : Number(text);
  if (!Number.isInteger(limit) || limit < 0) {
    throw new AwsError(
      'InvalidArgument',
      'Argument maxKeys must be an integer between 0 and 2147483647',
    );
  }
  return Math.min(limit, maxPage);
}

/** As S3 encodes keys for `encoding-type=url`: spaces become +, slashes stay. */
function urlEncode(text: string): string {
  return encode(text.toWellFormed()).replaceAll('%20', '+').replaceAll('%2F', '/');
}

function toToken(text: string): string {
  return Buffer.from(text).toString('base64');
}

function fromToken(token: string): string {
  return Buffer.from(token, 'base64').toString('utf8');
}
