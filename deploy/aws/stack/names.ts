/** What is called how: as the processes' settings say, from the same environment. */
import { clusterSettings } from '../../../shared/config/cluster.ts';
import { ingressSettings } from '../../../shared/config/ingress.ts';
import { readConfig, type Config } from '../../../shared/config/setting.ts';

const { tenantsTable, auditTable, kvTable, artifactsBucket, eventBus, region } = clusterSettings;
const { signingSecret } = ingressSettings;

/** The variables whose values the stack decides. */
export const namedSettings = {
  ...{ tenantsTable, auditTable, kvTable, artifactsBucket, eventBus },
  signingSecret,
};
export type Names = Config<typeof namedSettings>;

export const readNames = (environment: Readonly<Record<string, string | undefined>>) =>
  readConfig({ ...namedSettings, region }, environment);
