/** S3: takes a request apart, checks it, runs its operation and answers in XML or bytes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { isAllowed, type Caller } from '../access.ts';
import { AwsError } from '../aws-error.ts';
import type { Journal } from '../journal.ts';
import { xmlDocument, type Elements } from '../xml.ts';
import { listObjects } from './listing.ts';
import { abortUpload, completeUpload, createUpload, listParts, uploadPart } from './multipart.ts';
import { openObjectStore, type ObjectStore } from './object-store.ts';
import { copyObject, deleteObject, deleteObjects, getObject, putObject } from './objects.ts';
import { accessNeeded, operationOf, type S3Operation } from './s3-operations.ts';
import {
  accessDenied,
  notImplemented,
  s3Namespace,
  splitPath,
  type S3Answer,
  type S3Request,
} from './s3-request.ts';

export interface S3 {
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    authenticate: (bodyHash: string) => Caller,
  ): Promise<void>;
}

type Handler = (request: S3Request, store: ObjectStore) => S3Answer | Promise<S3Answer>;

const handlers: Readonly<Record<S3Operation, Handler>> = {
  ListBuckets: (_, { buckets }) => ({
    xml: [
      'ListAllMyBucketsResult',
      [
        ['Owner', [['ID', 'local']]],
        [
          'Buckets',
          [...buckets.values()].map(({ name, createdAt }): Elements[number] => [
            'Bucket',
            [
              ['Name', name],
              ['CreationDate', new Date(createdAt).toISOString()],
            ],
          ]),
        ],
      ],
    ],
  }),
  CreateBucket: createBucket,
  HeadBucket: () => ({}),
  ListObjectsV2: listObjects,
  DeleteObjects: deleteObjects,
  PutObject: putObject,
  GetObject: getObject,
  HeadObject: getObject,
  DeleteObject: deleteObject,
  CopyObject: copyObject,
  CreateMultipartUpload: createUpload,
  UploadPart: uploadPart,
  CompleteMultipartUpload: completeUpload,
  AbortMultipartUpload: abortUpload,
  ListParts: listParts,
};

export async function createS3(journal: Journal, dataDir: string): Promise<S3> {
  const store = await openObjectStore(journal, dataDir);
  return {
    async handle(message, response, authenticate) {
      try {
        const answer = await run(message, authenticate);
        await store.flush();
        await send(response, answer);
        await answer.afterwards?.();
      } catch (error) {
        refuse(message, response, error);
      }
    },
  };

  function run(
    message: IncomingMessage,
    authenticate: (bodyHash: string) => Caller,
  ): S3Answer | Promise<S3Answer> {
    const { method = '', url = '/', headers } = message;
    const mark = url.indexOf('?');
    const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
    const bodyHash = String(headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD');
    const caller = authenticate(bodyHash);
    // Chunks with signatures of their own: no client of the project sends them.
    if (bodyHash.startsWith('STREAMING-AWS4-')) throw notImplemented(bodyHash);
    const { bucket, key } = splitPath(mark < 0 ? url : url.slice(0, mark));
    const request = { method, bucket, key, query, headers, message, bodyHash, caller };
    const operation = operationOf(request);
    if (!accessNeeded(operation, request).every((access) => isAllowed(caller, access))) {
      throw accessDenied();
    }
    const needsBucket = operation !== 'ListBuckets' && operation !== 'CreateBucket';
    if (needsBucket && !store.buckets.has(bucket)) {
      throw new AwsError('NoSuchBucket', 'The specified bucket does not exist', 404);
    }
    return handlers[operation](request, store);
  }
}

function createBucket({ bucket }: S3Request, { buckets }: ObjectStore): S3Answer {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw new AwsError('InvalidBucketName', 'The specified bucket is not valid.');
  }
  if (buckets.has(bucket)) {
    throw new AwsError(
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded and you already own it.',
      409,
    );
  }
  buckets.set(bucket, { name: bucket, createdAt: Date.now() });
  return { headers: { location: `/${bucket}` } };
}

async function send(response: ServerResponse, answer: S3Answer): Promise<void> {
  const { status = 200, headers = {}, xml, stream } = answer;
  if (stream) {
    response.writeHead(status, headers);
    // A client that goes away in the middle ends the pipeline; there is nobody left to tell.
    await pipeline(stream, response).catch(() => response.destroy());
    return;
  }
  const body = xml ? xmlDocument(xml[0], s3Namespace, xml[1]) : '';
  response.writeHead(status, {
    ...(xml ? { 'content-type': 'application/xml' } : {}),
    ...(status === 204 ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  });
  response.end(body);
}

function refuse(message: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const refusal =
    error instanceof AwsError
      ? error
      : new AwsError('InternalError', 'Internal failure of the local AWS', 500);
  if (refusal !== error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`local AWS: ${detail}\n`);
  }
  // What is left of the body is read and dropped, so that the client gets to read the refusal.
  message.resume();
  const { headers, Key } = refusal.members;
  const hasBody = message.method !== 'HEAD' && refusal.status !== 304;
  const body = xmlDocument('Error', '', [
    ['Code', refusal.code],
    ['Message', refusal.message],
    typeof Key === 'string' ? ['Key', Key] : undefined,
  ]).replace(' xmlns=""', '');
  response.writeHead(refusal.status, {
    ...(typeof headers === 'object' ? headers : {}),
    ...(hasBody ? { 'content-type': 'application/xml' } : {}),
  });
  response.end(hasBody ? body : undefined);
}
