import { artifactsList } from '../../../shared/tools/artifacts-list.ts';
import { implement } from '../implement.ts';

/** Handler of `artifacts_list`. */
export const listArtifacts = implement(artifactsList, async ({ prefix = '' }, { aws }) => ({
  keys: [...(await aws.listArtifacts(prefix))],
}));
