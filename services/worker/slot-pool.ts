/** A count of free slots that several claim loops share. */
export interface SlotPool {
  /** Resolves with 1 to `most` slots, as soon as any are free. */
  reserve(most: number): Promise<number>;
  /** As many as are free now, 0 to `most`. */
  reserveNow(most: number): number;
  giveBack(slots: number): void;
  /** Resolves once every slot is free. */
  allFree(): Promise<void>;
}

export function createSlotPool(size: number): SlotPool {
  let free = size;
  let waiting: (() => void)[] = [];
  const changed = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const until = async (enough: () => boolean): Promise<void> => {
    while (!enough()) await changed();
  };

  const reserveNow = (most: number): number => {
    const reserved = Math.min(free, most);
    free -= reserved;
    return reserved;
  };

  return {
    async reserve(most) {
      await until(() => free > 0);
      return reserveNow(most);
    },
    reserveNow,
    giveBack(slots) {
      free += slots;
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
    allFree: () => until(() => free === size),
  };
}
