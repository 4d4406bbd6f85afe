/**
 * Whether containers can run here. Asked of the runtime itself, with an answer within two seconds:
 * where there is none, the suite is skipped and says why.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const answerWithinMs = 2_000;

/** Names of the images that are here, or the reason why none can run. */
export type Runtime = { readonly images: ReadonlySet<string> } | { readonly reason: string };

export async function findRuntime(): Promise<Runtime> {
  const list = ['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}'];
  try {
    const { stdout } = await run('docker', list, { timeout: answerWithinMs });
    return { images: new Set(stdout.split('\n')) };
  } catch {
    return { reason: `no container runtime answers within ${answerWithinMs} ms` };
  }
}

/** Undefined if all of them are here. */
export function whyNot(runtime: Runtime, images: readonly string[]): string | undefined {
  if ('reason' in runtime) return runtime.reason;
  const missing = images.filter((image) => !runtime.images.has(image));
  return missing.length === 0 ? undefined : `no image ${missing.join(', ')} here`;
}
