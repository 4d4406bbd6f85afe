/** Signed request -> Caller. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Caller } from './access.ts';
import { AwsError } from './aws-error.ts';
import type { Sessions } from './sessions.ts';
import { readSignature, verifySignature } from './sigv4.ts';

export type Authenticate = (
  request: IncomingMessage,
  /** As the request must be signed for; undefined leaves it to the signature. */
  service: string | undefined,
  /** What was signed in place of the body. */
  bodyHash: string,
) => Caller;

export function authenticator(
  rootCredentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
  root: Caller,
  sessions: Sessions,
): Authenticate {
  return (request, service, bodyHash) => {
    const { method = '', url = '/', headers } = request;
    const mark = url.indexOf('?');
    const signed = {
      method,
      path: mark < 0 ? url : url.slice(0, mark),
      query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
      headers,
    };
    const signature = readSignature(signed);
    if (!signature) throw unsigned(service);
    if (service !== undefined && signature.service !== service) {
      throw new AwsError(
        service === 's3' ? 'AuthorizationHeaderMalformed' : 'InvalidSignatureException',
        `Credential should be scoped to correct service: '${service}'.`,
        403,
      );
    }
    if (service === 's3') refuseUnsignedHeaders(headers, signature.signedHeaders);
    const { accessKeyId } = signature;
    if (accessKeyId === rootCredentials.accessKeyId) {
      const { secretAccessKey } = rootCredentials;
      verifySignature(signed, signature, { secretAccessKey }, bodyHash);
      return root;
    }
    const session = sessions.get(accessKeyId);
    verifySignature(signed, signature, session, bodyHash);
    return sessions.callerOf(accessKeyId, session);
  };
}

function unsigned(service: string | undefined): AwsError {
  if (service === 's3') return new AwsError('AccessDenied', 'Access Denied', 403);
  return new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token', 403);
}

/** What is not signed could have been added on the way. The payload's own hash may stand for itself. */
function refuseUnsignedHeaders(headers: IncomingHttpHeaders, signed: readonly string[]): void {
  const unsigned = Object.keys(headers).filter(
    (name) =>
      name.startsWith('x-amz-') && name !== 'x-amz-content-sha256' && !signed.includes(name),
  );
  if (unsigned.length === 0) return;
  throw new AwsError(
    'AccessDenied',
    `There were headers present in the request which were not signed: ${unsigned.join(', ')}`,
    403,
  );
}
