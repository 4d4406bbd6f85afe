/** Every tool by name. A contract without its handler does not compile. */
import type { ToolName } from '../../shared/tools/catalog.ts';
import type { Tool } from './implement.ts';
import { deleteArtifact } from './tools/artifacts-delete.ts';
import { getArtifact } from './tools/artifacts-get.ts';
import { listArtifacts } from './tools/artifacts-list.ts';
import { putArtifact } from './tools/artifacts-put.ts';
import { signArtifactUrl } from './tools/artifacts-url.ts';
import { deleteCredential } from './tools/credentials-delete.ts';
import { listCredentials } from './tools/credentials-list.ts';
import { putCredential } from './tools/credentials-put.ts';
import { listDeadLetters } from './tools/dead-letters-list.ts';
import { replayDeadLetters } from './tools/dead-letters-replay.ts';
import { echo } from './tools/diagnostics-echo.ts';
import { sleep } from './tools/diagnostics-sleep.ts';
import { sendEvent } from './tools/events-send.ts';
import { deleteKv } from './tools/kv-delete.ts';
import { getKv } from './tools/kv-get.ts';
import { listKv } from './tools/kv-list.ts';
import { setKv } from './tools/kv-set.ts';
import { getUsage } from './tools/usage-get.ts';

export const tools: Readonly<Record<ToolName, Tool>> = {
  kv_get: getKv,
  kv_set: setKv,
  artifacts_get: getArtifact,
  artifacts_put: putArtifact,
  artifacts_list: listArtifacts,
  events_send: sendEvent,
  kv_delete: deleteKv,
  kv_list: listKv,
  artifacts_delete: deleteArtifact,
  artifacts_url: signArtifactUrl,
  usage_get: getUsage,
  credentials_put: putCredential,
  credentials_list: listCredentials,
  credentials_delete: deleteCredential,
  dead_letters_list: listDeadLetters,
  dead_letters_replay: replayDeadLetters,
  diagnostics_echo: echo,
  diagnostics_sleep: sleep,
};

/** By name, all that this worker can run. */
export async function findTools(options: {
  readonly conformance: boolean;
}): Promise<ReadonlyMap<string, Tool>> {
  const known = new Map<string, Tool>(Object.entries(tools));
  if (!options.conformance) return known;
  const { conformanceTools } = await import('./tools/conformance/tools.ts');
  return new Map([...known, ...Object.entries(conformanceTools)]);
}
