import { Fault } from '../../../shared/faults.ts';
import { deadLettersReplay } from '../../../shared/tools/dead-letters-replay.ts';
import { implement } from '../implement.ts';

/** Handler of `dead_letters_replay`. What is refused stays a dead letter. */
export const replayDeadLetters = implement(
  deadLettersReplay,
  async ({ ids }, { deadLetters, signal }) => {
    const replayed: string[] = [];
    const refused: { id: string; reason: string }[] = [];
    for (const id of ids) {
      signal.throwIfAborted();
      try {
        if (await deadLetters.replay(id)) replayed.push(id);
        else refused.push({ id, reason: 'There is no such dead letter.' });
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown;
        refused.push({ id, reason: thrown.message });
      }
    }
    return { replayed, refused };
  },
);
