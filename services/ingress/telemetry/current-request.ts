/** The record of the request that is being answered, for whoever has something to add to it. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestRecord } from '../http.ts';

const current = new AsyncLocalStorage<RequestRecord>();

export function whileAnswering<Result>(record: RequestRecord, work: () => Result): Result {
  return current.run(record, work);
}

/** Undefined outside any request. */
export const currentRequest = (): RequestRecord | undefined => current.getStore();
