/** Asks the server. Whoever is not signed in any more hears of it once, in one place. */
import type { SignedIn } from '../../shared/admin/api.ts';

class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

let csrf = '';
let onSignedOut = (): void => undefined;

export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

/** @throws {ApiError} with a text for the person in front. */
export function get<Answer>(path: string): Promise<Answer> {
  return ask('GET', path);
}

/** @throws {ApiError} */
export function post<Answer>(path: string, body: object): Promise<Answer> {
  return ask('POST', path, body);
}

/** Undefined if nobody is signed in. */
export async function readSession(): Promise<SignedIn | undefined> {
  try {
    return remember(await get<SignedIn>('/session'));
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return undefined;
    throw error;
  }
}

/** @throws {ApiError} if the token is not known. */
export async function signIn(token: string): Promise<SignedIn> {
  return remember(await post<SignedIn>('/session', { token }));
}

export async function signOut(): Promise<void> {
  await ask('DELETE', '/session');
  onSignedOut();
}

function remember(session: SignedIn): SignedIn {
  csrf = session.csrf;
  return session;
}

async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`/api${path}`, {
    method,
    headers: {
      'x-mesh-csrf': csrf,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new ApiError(0, 'The server does not answer.');
  });
  const answer: unknown = await response.json().catch(() => undefined);
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- both sides are built from shared/admin/api.ts
  if (response.ok) return answer as Answer;
  if (response.status === 401 && path !== '/session') onSignedOut();
  throw new ApiError(response.status, textOf(answer) ?? `Answered with ${response.status}.`);
}

function textOf(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return undefined;
  return typeof answer.error === 'string' ? answer.error : undefined;
}
