import type { Http } from './http.js';
import type { Position } from './position.js';
import type { Clock } from './types.js';

/** What the supervisor shares with the transports. */
export interface Parts {
  readonly http: Http;
  readonly position: Position;
  readonly clock: Clock;
  readonly random: () => number;
  /** A stop waits for what is tracked. */
  track(task: Promise<unknown>): void;
}
