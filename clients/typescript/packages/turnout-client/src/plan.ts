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
  const rest = (mode: Mode): Plan => ({ mode, poll: false, realtime: false, bridging: false });
  if (!known.running) return rest('stopped');
  if (known.ended) return rest('ended');
  if (known.unauthenticated) return rest('unauthenticated');
  if (known.document.strategy === 'disabled') return rest('disabled');
  if (!known.follows) return rest('idle');
  const realtime = known.document.strategy === 'realtime-v2' && known.canRealtime;
  if (!realtime) return { mode: 'polling', poll: !known.paused, realtime: false, bridging: false };
  const mode = known.live ? 'live' : known.failed ? 'degraded' : known.resting ? 'polling' : 'connecting';
  return {
    mode,
    poll: !known.live && !known.paused,
    realtime: !known.paused && !known.resting,
    bridging: !known.live,
  };
}
