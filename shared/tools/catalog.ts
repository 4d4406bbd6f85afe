/** Every contract, in listing order. The order is fixed, so that clients may cache the list. */
import { artifactsDelete } from './artifacts-delete.ts';
import { artifactsGet } from './artifacts-get.ts';
import { artifactsList } from './artifacts-list.ts';
import { artifactsPut } from './artifacts-put.ts';
import { artifactsUrl } from './artifacts-url.ts';
import { conformanceContracts } from './conformance/contracts.ts';
import type { ToolContract } from './contract.ts';
import { credentialsDelete } from './credentials-delete.ts';
import { credentialsList } from './credentials-list.ts';
import { credentialsPut } from './credentials-put.ts';
import { deadLettersList } from './dead-letters-list.ts';
import { deadLettersReplay } from './dead-letters-replay.ts';
import { diagnosticsEcho } from './diagnostics-echo.ts';
import { diagnosticsSleep } from './diagnostics-sleep.ts';
import { eventsSend } from './events-send.ts';
import { kvDelete } from './kv-delete.ts';
import { kvGet } from './kv-get.ts';
import { kvList } from './kv-list.ts';
import { kvSet } from './kv-set.ts';
import { usageGet } from './usage-get.ts';

const builtIn = {
  kv_get: kvGet,
  kv_set: kvSet,
  artifacts_get: artifactsGet,
  artifacts_put: artifactsPut,
  artifacts_list: artifactsList,
  events_send: eventsSend,
  kv_delete: kvDelete,
  kv_list: kvList,
  artifacts_delete: artifactsDelete,
  artifacts_url: artifactsUrl,
  usage_get: usageGet,
  credentials_put: credentialsPut,
  credentials_list: credentialsList,
  credentials_delete: credentialsDelete,
  dead_letters_list: deadLettersList,
  dead_letters_replay: deadLettersReplay,
} as const;

const diagnostics = {
  diagnostics_echo: diagnosticsEcho,
  diagnostics_sleep: diagnosticsSleep,
} as const;

/** All contracts by name, diagnostics included: what a worker must be able to run. */
export const contracts = { ...builtIn, ...diagnostics } as const;
export type ToolName = keyof typeof contracts;

/** The contracts an ingress offers, by name, in listing order. */
export function createCatalog(options: {
  readonly diagnostics: boolean;
  /** Adds what the protocol's official conformance suite wants to find. */
  readonly conformance?: boolean;
}): ReadonlyMap<string, ToolContract> {
  const offered: Readonly<Record<string, ToolContract>> = {
    ...builtIn,
    ...(options.diagnostics ? diagnostics : {}),
    ...(options.conformance ? conformanceContracts : {}),
  };
  return new Map(Object.entries(offered));
}
