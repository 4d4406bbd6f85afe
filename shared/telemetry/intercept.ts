/** Wraps a function where it is wired, so that domain code stays free of logs, spans and counters. */
export type Interceptor<Input, Output> = (
  next: (input: Input) => Promise<Output>,
) => (input: Input) => Promise<Output>;

/** The first interceptor is the outermost. */
export function intercept<Input, Output>(
  work: (input: Input) => Promise<Output>,
  ...interceptors: readonly Interceptor<Input, Output>[]
): (input: Input) => Promise<Output> {
  return interceptors.reduceRight((next, interceptor) => interceptor(next), work);
}
