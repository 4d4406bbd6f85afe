/** Pieces of results that several fixtures of the conformance suite share. */
import type { RawResult } from '../../implement.ts';

export const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';

export const wav = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

export const say = (text: string): RawResult => ({ content: [{ type: 'text', text }] });

type Requests = Readonly<Record<string, { readonly method: string; readonly params?: object }>>;

/** Asks the client for input before the call can end. */
export const ask = (inputRequests: Requests, requestState?: string): RawResult => ({
  resultType: 'input_required',
  inputRequests,
  ...(requestState !== undefined && { requestState }),
});

export const elicit = (message: string, properties: object, required: string[] = []) => ({
  method: 'elicitation/create',
  params: {
    mode: 'form',
    message,
    requestedSchema: { type: 'object', properties, required },
  },
});

export const sample = (text: string, maxTokens = 100) => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens },
});

export const roots = { method: 'roots/list' };
