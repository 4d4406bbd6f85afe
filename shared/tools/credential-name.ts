/** What names a credential: a service and a connection to it, both parts of a path. */
import { z } from 'zod';

const Segment = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 of A-Z, a-z, 0-9 and . _ -');

export const credentialName = {
  service: Segment.describe('The service that the credential is for, such as github'),
  connection: Segment.describe('Which of the connections to that service, such as work'),
};
