import { artifactsDelete } from '../../../shared/tools/artifacts-delete.ts';
import { implement } from '../implement.ts';

/** Handler of `artifacts_delete`. */
export const deleteArtifact = implement(artifactsDelete, async ({ key }, { aws }) => ({
  deleted: await aws.deleteArtifact(key),
}));
