import { credentialsDelete } from '../../../shared/tools/credentials-delete.ts';
import { implement } from '../implement.ts';

/** Handler of `credentials_delete`. */
export const deleteCredential = implement(credentialsDelete, async (name, { aws }) => ({
  deleted: await aws.credentials.delete(name),
}));
