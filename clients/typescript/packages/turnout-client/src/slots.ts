/** A place among the open requests of a browser; `release` gives it back. */
export interface Slot {
  release(): void;
}

const SLOTS = 3;
const UNLIMITED: Slot = { release() {} };

/**
 * A browser allows six connections an origin, so that all tabs together hold at most three open requests. Null: none is free.
 * Without Web Locks only a visible page has one; outside browsers there is no limit.
 */
export async function takeSlot(origin: string): Promise<Slot | null> {
  const locks = globalThis.navigator?.locks;
  if (typeof document === 'undefined') return UNLIMITED;
  if (!locks) return document.visibilityState === 'visible' ? UNLIMITED : null;
  for (let n = 0; n < SLOTS; n += 1) {
    const slot = await new Promise<Slot | null>((taken) => {
      locks
        .request(`turnout ${origin} ${n}`, { ifAvailable: true }, (lock) => {
          if (!lock) return taken(null);
          return new Promise<void>((release) => taken({ release }));
        })
        .catch(() => taken(null));
    });
    if (slot) return slot;
  }
  return null;
}
