/** What went wrong, as text for the person at the terminal: what to do, where that is known. */
import { ConfigError } from '../../shared/config/setting.ts';

/** Errors whose every line was written to be read. */
const written = new Set(['SetupError', 'TenantsFileError', 'FieldError', 'TenantChanged']);

const hints: Readonly<Record<string, string>> = {
  CredentialsProviderError:
    'No AWS credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  ResourceNotFoundException:
    'A DynamoDB table is missing. `mesh setup` makes what a cluster stands on; check AWS_REGION and the AGENT_MESH_* variables.',
};

export function explainError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigError || written.has(error.name)) return error.message;
  const hint = hints[error.name];
  if (hint !== undefined) return hint;
  const line = firstLine(error);
  if (!('$metadata' in error)) return line;
  return 'code' in error ? `AWS does not answer: ${line}` : `AWS refused: ${line}`;
}

/** Node gives an error for several attempts no message of its own. */
function firstLine({ message, cause, name }: Error): string {
  const text = message === '' && cause instanceof Error ? cause.message : message;
  return text.split('\n')[0] || name;
}
