/**
 * What is asked for in one turn of the event loop, asked for at once. Each still has an answer of its
 * own; only if the whole batch fails, all hear of that.
 */
export type Ask<In, Out> = (item: In) => Promise<Out>;

interface Asked<In, Out> {
  readonly item: In;
  readonly resolve: (answer: Out) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * @param most bounds how long one batch keeps others waiting
 * @param run resolves with an answer for each item, in order; an `Error` is that item's failure
 */
export function gather<In, Out>(
  most: number,
  run: (items: readonly In[]) => Promise<readonly (Out | Error)[]>,
): Ask<In, Out> {
  let asked: Asked<In, Out>[] = [];

  const send = async (batch: readonly Asked<In, Out>[]): Promise<void> => {
    try {
      const answers = await run(batch.map(({ item }) => item));
      for (const [i, { resolve, reject }] of batch.entries()) {
        const answer = answers[i] ?? new Error('A batch came back short');
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  const flush = (): void => {
    const batch = asked;
    asked = [];
    for (let at = 0; at < batch.length; at += most) void send(batch.slice(at, at + most));
  };

  return (item) =>
    new Promise((resolve, reject) => {
      asked.push({ item, resolve, reject });
      if (asked.length === 1) setImmediate(flush);
    });
}
