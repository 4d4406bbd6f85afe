import { deadLettersList } from '../../../shared/tools/dead-letters-list.ts';
import { implement } from '../implement.ts';

/** Handler of `dead_letters_list`. What caused a failure is for operators: it may name what they run. */
export const listDeadLetters = implement(
  deadLettersList,
  async ({ limit, ...filter }, { deadLetters }) => {
    const letters = await deadLetters.list(filter);
    return {
      total: letters.length,
      dead_letters: letters
        .slice(0, limit)
        .map(({ id, failedAt, code, message, attempts, tool, user, traceId, ...rest }) => ({
          id,
          failed_at: new Date(failedAt).toISOString(),
          code,
          message,
          attempts,
          tool,
          user,
          arguments: rest.arguments,
          trace_id: traceId,
        })),
    };
  },
);
