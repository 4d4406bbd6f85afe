/** The AWS operations that a program can reach through its imports, by the SDK's names of them. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const clients: Readonly<Record<string, string>> = {
  dynamodb: 'dynamodb',
  s3: 's3',
  sqs: 'sqs',
  sts: 'sts',
  eventbridge: 'events',
  'secrets-manager': 'secretsmanager',
};

/** As IAM names them, such as `dynamodb:GetItem`; a paginated query is a query. */
export async function calledOperations(program: string): Promise<ReadonlySet<string>> {
  const called = new Set<string>();
  const read = new Set([program]);
  for (const file of read) {
    const source = await readFile(file, 'utf8');
    for (const [, names = '', from = ''] of source.matchAll(
      /import\s+\{([^}]*)\}\s+from '([^']+)'/g,
    )) {
      if (from.startsWith('.') && from.endsWith('.ts')) read.add(join(dirname(file), from));
      const service = clients[from.replace('@aws-sdk/client-', '')];
      if (service === undefined) continue;
      for (const [, paginated, command] of names.matchAll(/\bpaginate(\w+)|\b(\w+)Command\b/g)) {
        called.add(`${service}:${paginated ?? command}`);
      }
    }
    for (const [, from = ''] of source.matchAll(/import\('(\.[^']+\.ts)'\)/g)) {
      read.add(join(dirname(file), from));
    }
  }
  return called;
}
