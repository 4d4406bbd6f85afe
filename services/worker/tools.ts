/** Every tool by name. A contract without its handler does not compile. */
import type { ToolName } from '../../shared/tools/catalog.ts';
import type { Tool } from './implement.ts';
import { getArtifact } from './tools/artifacts-get.ts';
import { listArtifacts } from './tools/artifacts-list.ts';
import { putArtifact } from './tools/artifacts-put.ts';
import { echo } from './tools/diagnostics-echo.ts';
import { sleep } from './tools/diagnostics-sleep.ts';
import { sendEvent } from './tools/events-send.ts';
import { getKv } from './tools/kv-get.ts';
import { setKv } from './tools/kv-set.ts';

export const tools: Readonly<Record<ToolName, Tool>> = {
  kv_get: getKv,
  kv_set: setKv,
  artifacts_get: getArtifact,
  artifacts_put: putArtifact,
  artifacts_list: listArtifacts,
  events_send: sendEvent,
  diagnostics_echo: echo,
  diagnostics_sleep: sleep,
};
