import { z } from 'zod';
import { defineTool } from './contract.ts';
import { credentialName } from './credential-name.ts';

/** Secrets Manager takes no more. */
const maxSecretBytes = 65_536;

/** As text: an object is kept as JSON. */
export const secretText = (secret: string | object): string =>
  typeof secret === 'string' ? secret : JSON.stringify(secret);

/** Contract of `credentials_put`: keep a secret for tools to use. No tool returns it. */
export const credentialsPut = defineTool({
  name: 'credentials_put',
  title: 'Store a credential',
  description:
    'Store a credential for an outside service, for tools to use on your behalf. It can be replaced and deleted, but never read back',
  input: z.object({
    ...credentialName,
    secret: z
      .union([z.string().min(1), z.record(z.string(), z.json())])
      .refine(
        (secret) => new TextEncoder().encode(secretText(secret)).length <= maxSecretBytes,
        `must be at most ${maxSecretBytes} bytes`,
      )
      .describe('The secret itself: text, or an object with several fields'),
  }),
  output: z.object({ success: z.literal(true) }),
  permission: 'ManageCredentials',
  effect: 'idempotent',
  sensitive: ['secret'],
  destructive: true,
  quotaCost: 1,
});
