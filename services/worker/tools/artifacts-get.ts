import { artifactsGet } from '../../../shared/tools/artifacts-get.ts';
import { maxInlineArtifactBytes } from '../../../shared/tools/artifacts-put.ts';
import { implement } from '../implement.ts';

/** Handler of `artifacts_get`. */
export const getArtifact = implement(artifactsGet, async ({ key }, { aws }) => {
  const body = await aws.readArtifact(key, maxInlineArtifactBytes);
  if (body === undefined) return { content: null };
  return { content: Buffer.from(body).toString('base64'), encoding: 'base64' as const };
});
