import { useContext, useMemo, useSyncExternalStore } from 'react';
import type { Snapshot, StreamEvent } from 'turnout-client';
import type { Followed, State } from './followed.js';
import { FollowContext } from './provider.js';

export interface StrategyState extends Snapshot {
  /** Asks again, now. */
  refresh(): void;
}

export interface StreamState<T> extends StrategyState {
  /** In order, the oldest first; the newest `keep` of them. */
  readonly events: readonly StreamEvent<T>[];
  /** Nothing is here yet, and something may come. */
  readonly isLoading: boolean;
}

const IDLE: State = {
  snapshot: {
    mode: 'idle',
    strategy: null,
    reason: 'ERROR',
    cursor: null,
    upToDate: false,
    bridging: false,
    intervalMs: 0,
    error: null,
  },
  events: [],
};
const WAITING = ['idle', 'polling', 'connecting', 'live', 'degraded'];
const none = () => () => {};
const idle = () => IDLE;

/** The strategy of a flag, without following a stream. */
export function useStrategy(flag: string): StrategyState {
  const followed = useFollow('useStrategy')(flag, null);
  const { snapshot } = useStore(followed);
  return useMemo(() => ({ ...snapshot, refresh: () => followed.client.refresh() }), [snapshot, followed]);
}

/** The events of a stream, and how they come. `null` follows nothing. */
export function useStream<T = unknown>(
  flag: string,
  stream: string | null,
  options: { keep?: number; select?: (event: StreamEvent<T>) => boolean } = {},
): StreamState<T> {
  const follow = useFollow('useStream');
  const followed = stream === null ? null : follow(flag, stream);
  const state = useStore(followed);
  const { keep = 1000, select } = options;
  return useMemo(() => {
    const all = state.events as readonly StreamEvent<T>[];
    const events = (select ? all.filter(select) : all).slice(-keep);
    const { mode, upToDate } = state.snapshot;
    const isLoading = followed !== null && all.length === 0 && !upToDate && WAITING.includes(mode);
    return { ...state.snapshot, events, isLoading, refresh: () => followed?.client.refresh() };
  }, [state, followed, keep, select]);
}

function useFollow(hook: string) {
  const follow = useContext(FollowContext);
  if (!follow) throw new Error(`${hook} is used outside of <TurnoutProvider>: put the provider around the component`);
  return follow;
}

function useStore(followed: Followed | null): State {
  return useSyncExternalStore(followed?.subscribe ?? none, followed?.getState ?? idle, followed?.getFirst ?? idle);
}
