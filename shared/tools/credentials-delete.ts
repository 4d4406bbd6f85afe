import { z } from 'zod';
import { defineTool } from './contract.ts';
import { credentialName } from './credential-name.ts';

/** Contract of `credentials_delete`: remove one credential for good; nothing to remove is no failure. */
export const credentialsDelete = defineTool({
  name: 'credentials_delete',
  title: 'Delete a credential',
  description: 'Delete a credential that you have stored',
  input: z.object(credentialName),
  output: z.object({ deleted: z.boolean() }),
  permission: 'ManageCredentials',
  effect: 'idempotent',
  destructive: true,
  quotaCost: 1,
});
