/**
 * Reads the policy documents of this folder. Their names in angle brackets, such as `<kv-table>`,
 * stand for the names a deployment has chosen. They differ from IAM's own `${…}` variables, which
 * stay for IAM to resolve.
 */
import { readFileSync } from 'node:fs';

export interface ResourceNames {
  readonly kvTable: string;
  readonly artifactsBucket: string;
  readonly eventBus: string;
}

/** What a worker may do once it has assumed the tenants' role with the session tag `tenant`. */
export function readTenantPolicy(names: ResourceNames): unknown {
  return readDocument('tenant-policy.json', {
    '<kv-table>': names.kvTable,
    '<artifacts-bucket>': names.artifactsBucket,
    '<event-bus>': names.eventBus,
  });
}

/** Who may assume the tenants' role: workers, naming one tenant by a session tag. */
export function readTrustPolicy(workerRoleArn: string): unknown {
  return readDocument('trust-policy.json', { '<worker-role-arn>': workerRoleArn });
}

/** @throws if the document holds a name that `names` does not give. */
function readDocument(file: string, names: Readonly<Record<string, string>>): unknown {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  const document: unknown = JSON.parse(text, (_, value: unknown) =>
    typeof value === 'string' ? resolveNames(value, names) : value,
  );
  return document;
}

function resolveNames(text: string, names: Readonly<Record<string, string>>): string {
  return text.replace(/<[a-z-]+>/g, (placeholder) => {
    const name = names[placeholder];
    if (name === undefined) throw new Error(`No name is given for ${placeholder}`);
    return name;
  });
}
