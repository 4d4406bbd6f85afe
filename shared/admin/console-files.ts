/** The console's page as it was built: an `index.html`, and assets whose names hold their hash. */
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { Refusal } from './refusal.ts';

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const Asset = z.object({ name: z.string().regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/) });

/** `folder` may be built later: it is looked into when somebody asks. */
export function addConsoleFiles(app: FastifyInstance, folder: string): void {
  app.get('/', async (_request, reply) => {
    const page = await readOptional(join(folder, 'index.html'));
    if (!page) throw new Refusal(503, 'The console is not built here. Run: npm run build:console');
    return reply
      .type(types['.html'] ?? '')
      .header('cache-control', 'no-cache')
      .send(page);
  });

  app.get('/assets/:name', async (request, reply) => {
    const name = Asset.safeParse(request.params).data?.name ?? '';
    const type = types[extname(name)];
    const file = type === undefined ? undefined : await readOptional(join(folder, 'assets', name));
    if (!file) throw new Refusal(404, 'Not found');
    return reply
      .type(type ?? '')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(file);
  });
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
