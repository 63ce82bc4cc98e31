import type { Clock } from './types.js';

/** A longer wait would be none: platforms count in 31 bits. */
const MAX_MS = 2 ** 31 - 1;

/** Timers by the client's clock, each with a name: setting one again takes back what was set before. */
export class Timers {
  readonly #clock: Clock;
  readonly #held: Record<string, unknown> = {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(name: string, ms: number, run: () => void): void {
    this.clear(name);
    this.#held[name] = this.#clock.setTimeout(run, Math.min(ms, MAX_MS));
  }

  clear(...names: string[]): void {
    for (const name of names) this.#clock.clearTimeout(this.#held[name]);
  }
}
