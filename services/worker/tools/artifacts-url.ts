import { artifactsUrl } from '../../../shared/tools/artifacts-url.ts';
import { implement } from '../implement.ts';

/** Handler of `artifacts_url`. */
export const signArtifactUrl = implement(artifactsUrl, async (input, { aws }) => {
  const { key, method, bytes, content_type: contentType, expires_seconds: seconds } = input;
  if (method === 'put' && bytes !== undefined) {
    const { url, headers, expiresAt } = await aws.signPut(key, { bytes, contentType }, seconds);
    const expires = new Date(expiresAt).toISOString();
    return { url, method: 'PUT' as const, headers: { ...headers }, expires_at: expires };
  }
  const { url, expiresAt } = await aws.signGet(key, seconds);
  return { url, method: 'GET' as const, expires_at: new Date(expiresAt).toISOString() };
});
