import type { Http } from './http.js';
import type { Position } from './position.js';
import type { Clock } from './types.js';

/** What the supervisor shares with the transports. */
export interface Parts {
  readonly http: Http;
  readonly position: Position;
  readonly clock: Clock;
  readonly random: () => number;
  /** Where to begin without a cursor; null: at the start of the stream. */
  readonly first: 'now' | null;
  /** A stop waits for what is tracked. */
  track(task: Promise<unknown>): void;
}
