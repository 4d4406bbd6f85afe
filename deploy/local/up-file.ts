/** `up.json`: where a running local cluster is reached. It exists while, and only while, calls are answered. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { SetupError } from './setup-error.ts';

export const UpFile = z.object({
  mcp: z.string(),
  admin: z.string(),
  tenant: z.string(),
  user: z.string(),
  apiKey: z.string(),
  redis: z.string(),
  /** Absent where the cluster uses the real AWS. */
  aws: z.string().optional(),
  ingresses: z.array(z.object({ mcp: z.string(), admin: z.string(), pid: z.number() })),
  workers: z.array(z.object({ admin: z.string(), pid: z.number() })),
});
export type UpFile = z.output<typeof UpFile>;

/** @throws {SetupError} if no cluster is running there. */
export async function readUpFile(file: string): Promise<UpFile> {
  try {
    return UpFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new SetupError(
      `No running cluster found: ${file} is missing or unreadable. Run npm start, or set REDIS_URL and the AWS environment.`,
      { cause },
    );
  }
}
