/** The end of a process: asked to stop, ordered close with a deadline, exit code. */

/** Runs each step in turn; a step that fails or takes too long does not keep the rest from running. */
export async function closeInOrder(
  steps: readonly (readonly [name: string, close: () => Promise<unknown>])[],
  options: {
    readonly stepTimeoutMs: number;
    readonly onProblem: (step: string, cause: unknown) => void;
  },
): Promise<void> {
  for (const [name, close] of steps) {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`took over ${options.stepTimeoutMs} ms`)),
        options.stepTimeoutMs,
      );
    });
    try {
      await Promise.race([close(), tooLong]);
    } catch (cause) {
      options.onProblem(name, cause);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Resolves with a reason once this process should stop: SIGTERM, SIGINT, or the loss of a parent
 * that spawned it with an IPC channel.
 */
export function untilAskedToStop(): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.once('SIGINT', () => resolve('SIGINT'));
    if (process.channel) process.once('disconnect', () => resolve('parent gone'));
  });
}

/**
 * Runs a process from start to ordered end. An error before that is told in one line, without a
 * stack, and the exit code is 1.
 */
export async function runProcess(main: () => Promise<void>): Promise<void> {
  try {
    await main();
    process.exit(0);
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exit(1);
  }
}
