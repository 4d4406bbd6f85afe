/** A tenants file from disk. */
import { readFile } from 'node:fs/promises';
import {
  parseTenantsFile,
  TenantsFileError,
  type DeclaredTenant,
} from '../../shared/tenants/tenants-file.ts';
import { SetupError } from './setup-error.ts';

/** @throws {SetupError} naming the file, and line and field of each problem. */
export async function readTenantsFile(file: string): Promise<readonly DeclaredTenant[]> {
  try {
    return parseTenantsFile(await readFile(file, 'utf8'));
  } catch (cause) {
    if (cause instanceof TenantsFileError) {
      const problems = cause.message.split('\n').map((problem) => `${file}: ${problem}`);
      throw new SetupError(problems.join('\n'), { cause });
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SetupError(`${file} cannot be read: ${reason}`, { cause });
  }
}
