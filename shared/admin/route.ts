/** A route of the console's API: `GET` for whoever is signed in, everything else for operators. */
import type { Visit } from './visits.ts';

export interface Ask {
  readonly visit: Visit;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

export interface ConsoleRoute {
  readonly method: 'GET' | 'POST';
  /** Below `/api`. */
  readonly path: string;
  /** Resolves with what is sent as JSON. @throws {Refusal} */
  readonly handle: (ask: Ask) => Promise<object>;
  /** Hears of a viewer who tried to change something. */
  readonly onForbidden?: (ask: Ask) => Promise<void>;
}
