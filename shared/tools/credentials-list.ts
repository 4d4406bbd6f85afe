import { z } from 'zod';
import { defineTool } from './contract.ts';

/** Contract of `credentials_list`: the names of the caller's own credentials, never what they hold. */
export const credentialsList = defineTool({
  name: 'credentials_list',
  title: 'List credentials',
  description: 'List the credentials that you have stored, by name',
  input: z.object({}),
  output: z.object({
    credentials: z.array(
      z.object({ service: z.string(), connection: z.string(), updated_at: z.iso.datetime() }),
    ),
  }),
  permission: 'ManageCredentials',
  effect: 'read',
  quotaCost: 1,
});
