import { credentialsList } from '../../../shared/tools/credentials-list.ts';
import { implement } from '../implement.ts';

/** Handler of `credentials_list`. */
export const listCredentials = implement(credentialsList, async (_, { aws }) => {
  const credentials = await aws.credentials.list();
  return {
    credentials: credentials.map(({ service, connection, updatedAt }) => ({
      service,
      connection,
      updated_at: new Date(updatedAt).toISOString(),
    })),
  };
});
