/** What keeps a cluster from starting and the person in front of it can put right: one clear line. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}
