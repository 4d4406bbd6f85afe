/** What to tell of an error. */
export const textOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
