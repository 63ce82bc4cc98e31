import { useContext, useMemo, useSyncExternalStore } from 'react';
import type { StreamEvent } from 'turnout-client';
import type { Followed, State, StrategyState } from './followed.js';
import { FollowContext } from './provider.js';

export interface StreamState<T> extends StrategyState {
  /** In order, the oldest first; the newest `keep` of them. */
  readonly events: readonly StreamEvent<T>[];
  /** Nothing is here yet, and something may come. */
  readonly isLoading: boolean;
}

const OVER = ['disabled', 'unauthenticated', 'ended', 'stopped'];
const never = () => () => {};

/** The strategy of a flag, without following a stream. */
export function useStrategy(flag: string): StrategyState {
  const followed = useFollow('useStrategy')(flag, null);
  const { snapshot } = useStore(followed, true);
  return snapshot;
}

/** The events of a stream, and how they come. `null` follows nothing. */
export function useStream<T = unknown>(
  flag: string,
  stream: string | null,
  options: { keep?: number; select?: (event: StreamEvent<T>) => boolean } = {},
): StreamState<T> {
  const follow = useFollow('useStream');
  const followed = follow(flag, stream);
  const state = useStore(followed, stream !== null);
  const { keep = 1000, select } = options;
  return useMemo(() => {
    const all = state.events as readonly StreamEvent<T>[];
    const events = (select ? all.filter(select) : all).slice(-keep);
    const { mode, upToDate } = state.snapshot;
    const isLoading = stream !== null && all.length === 0 && !upToDate && !OVER.includes(mode);
    return { ...state.snapshot, events, isLoading };
  }, [state, stream, keep, select]);
}

function useFollow(hook: string) {
  const follow = useContext(FollowContext);
  if (!follow) throw new Error(`${hook} is used outside of <TurnoutProvider>`);
  return follow;
}

/** What is not subscribed to does not run. */
function useStore(followed: Followed, runs: boolean): State {
  return useSyncExternalStore(runs ? followed.subscribe : never, followed.getState, followed.getFirst);
}
