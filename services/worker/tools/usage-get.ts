import { usageGet } from '../../../shared/tools/usage-get.ts';
import { implement } from '../implement.ts';

/** Handler of `usage_get`. */
export const getUsage = implement(usageGet, async (_, { aws }) => {
  const { kvBytes, artifacts, artifactBytes, limits } = await aws.readUsage();
  return {
    kv_bytes: { used: kvBytes, limit: limits.kvBytes },
    artifacts: { used: artifacts, limit: limits.artifacts },
    artifact_bytes: { used: artifactBytes, limit: limits.artifactBytes },
  };
});
