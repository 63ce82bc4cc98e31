import type { Clock } from './types.js';

/** Timers by the client's clock, each with a name: setting one again takes back what was set before. */
export class Timers {
  readonly #clock: Clock;
  readonly #held: Record<string, unknown> = {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(name: string, ms: number, run: () => void): void {
    this.clear(name);
    this.#held[name] = this.#clock.setTimeout(run, ms);
  }

  clear(...names: string[]): void {
    for (const name of names) this.#clock.clearTimeout(this.#held[name]);
  }
}
