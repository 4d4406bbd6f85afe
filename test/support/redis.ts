/** A private Redis for one test. */
import { findRedis } from '../../deploy/local/find-redis.ts';
import { startRedis, type PrivateRedis, type RedisOptions } from '../../deploy/local/redis.ts';
import { makeTempDir } from './temp-dir.ts';

export interface TestRedis extends PrivateRedis, AsyncDisposable {}

export async function startTestRedis(
  options: Pick<RedisOptions, 'appendfsync'> = {},
): Promise<TestRedis> {
  const folder = await makeTempDir();
  const program = await findRedis({ path: process.env['PATH'] ?? '', onStep: () => undefined });
  const redis = await startRedis({ ...options, program, dataDir: folder.path });
  return {
    ...redis,
    async [Symbol.asyncDispose]() {
      await redis.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
