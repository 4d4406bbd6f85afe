/** Something that answers `tools/call` over HTTP, in processes of its own. */
import type { Watched } from '../measure/processes.ts';
import type { CallShape, Era, Load } from '../load/load.ts';

export interface Target {
  readonly name: string;
  readonly url: string;
  /** A call of a tool that does nothing but give back its text. */
  readonly echo: CallShape;
  readonly eras: readonly Era[];
  readonly processes: readonly Watched[];
  /** What a request must bring along: a token, a session. */
  readonly access: Pick<Load, 'headers' | 'tokens'>;
  close(): Promise<void>;
}

/** How the servers that this bench itself writes call the tool. */
export const plainEcho: CallShape = { tool: 'echo', arguments: '{"text":"$id"}', text: '$id' };
