/**
 * What is known of each shard, looked at again and again, so that whoever scrapes hears at once, also
 * while Redis is away: then nothing is known.
 */
import type { Sample } from '../metrics.ts';

export interface ShardWatch<Known> {
  /** Undefined where the last look failed, or told nothing. */
  readonly known: readonly (Known | undefined)[];
  /** One number of each shard of which it is known. */
  readonly samples: (read: (known: Known) => number | boolean | undefined) => Sample[];
  readonly close: () => void;
}

const lookEveryMs = 2_000;
/** More shards are looked at less often, so that this stays a trickle. */
const shardsAtThatPace = 8;

export function watchShards<Known>(
  shards: number,
  look: (shard: number) => Promise<Known | undefined>,
): ShardWatch<Known> {
  const known = Array.from({ length: shards }, (): Known | undefined => undefined);
  let looking = false;

  const lookAtAll = async (): Promise<void> => {
    if (looking) return;
    looking = true;
    for (let shard = 0; shard < shards; shard += 1) {
      // The connection's own log tells why.
      known[shard] = await look(shard).catch(() => undefined);
    }
    looking = false;
  };
  void lookAtAll();
  const pace = Math.ceil(shards / shardsAtThatPace);
  const timer = setInterval(() => void lookAtAll(), lookEveryMs * pace);

  return {
    known,
    samples: (read) =>
      known.flatMap((each, shard): Sample[] => {
        const value = each && read(each);
        return value === undefined ? [] : [[Number(value), { shard: String(shard) }]];
      }),
    close: () => clearInterval(timer),
  };
}
