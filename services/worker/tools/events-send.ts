import { eventsSend } from '../../../shared/tools/events-send.ts';
import { implement } from '../implement.ts';

/** Handler of `events_send`. */
export const sendEvent = implement(eventsSend, async ({ detailType, detail }, { aws }) => {
  await aws.sendEvent(detailType, detail);
  return { success: true as const };
});
