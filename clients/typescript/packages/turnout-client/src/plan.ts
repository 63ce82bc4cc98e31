import type { Mode, StrategyDocument } from './types.js';

/** What the supervisor knows. */
export interface Known {
  readonly document: StrategyDocument;
  readonly running: boolean;
  /** There is a stream to follow. */
  readonly follows: boolean;
  readonly unauthenticated: boolean;
  readonly ended: boolean;
  /** The page is hidden and asks nothing. */
  readonly paused: boolean;
  /** There is a transport of the document's kind, and the platform can run it. */
  readonly canRealtime: boolean;
  readonly live: boolean;
  /** The back-off is spent, or no place was free: realtime waits for its next try. */
  readonly resting: boolean;
  readonly failed: boolean;
}

export interface Plan {
  readonly mode: Mode;
  readonly poll: boolean;
  readonly realtime: boolean;
  readonly bridging: boolean;
}

/** What should go on now. Pure: the supervisor makes it so. */
export function plan(known: Known): Plan {
  const { document, live, paused, resting } = known;
  const still = !known.running
    ? 'stopped'
    : known.ended
      ? 'ended'
      : known.unauthenticated
        ? 'unauthenticated'
        : document.strategy === 'disabled'
          ? 'disabled'
          : known.follows
            ? null
            : 'idle';
  const wanted = !still && document.strategy === 'realtime-v2' && known.canRealtime;
  const bridging = wanted && !live;
  const realtime = live ? 'live' : known.failed ? 'degraded' : resting ? 'polling' : 'connecting';
  return {
    mode: still ?? (wanted ? realtime : 'polling'),
    poll: !still && !paused && (!wanted || bridging),
    realtime: wanted && !paused && !resting,
    bridging,
  };
}
