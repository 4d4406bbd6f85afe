import { credentialsPut, secretText } from '../../../shared/tools/credentials-put.ts';
import { implement } from '../implement.ts';

/** Handler of `credentials_put`. */
export const putCredential = implement(credentialsPut, async ({ secret, ...name }, { aws }) => {
  await aws.credentials.put(name, secretText(secret));
  return { success: true as const };
});
