import type { TurnoutError } from './error.js';
import type { Clock, TransportContext } from './types.js';

interface Held {
  readonly token: string;
  readonly refreshAt: number;
  readonly endsAt: number;
}

/** A token as the server gives it. */
export interface Given {
  readonly token?: unknown;
  readonly expiresInMs?: unknown;
  readonly refreshAfterMs?: unknown;
}

/** The realtime token: kept over switches, refreshed before its end, at most one request at a time. */
export class TokenSource {
  #held: Held | null = null;
  #flight: Promise<string> | null = null;

  readonly #ask: () => Promise<Given>;
  readonly #clock: Clock;
  readonly #wrong: TransportContext['error'];

  constructor(ask: () => Promise<Given>, clock: Clock, wrong: TransportContext['error']) {
    this.#ask = ask;
    this.#clock = clock;
    this.#wrong = wrong;
  }

  /** A token that is good now. */
  get(force = false): Promise<string> {
    if (!force && this.#held && this.#clock.now() < this.#held.refreshAt) return Promise.resolve(this.#held.token);
    this.#flight ??= this.#fetch(force).finally(() => {
      this.#flight = null;
    });
    return this.#flight;
  }

  /** How long until a fresh one should be asked for; null without a token. */
  refreshInMs(): number | null {
    return this.#held ? Math.max(0, this.#held.refreshAt - this.#clock.now()) : null;
  }

  async #fetch(force: boolean): Promise<string> {
    const asked = this.#clock.now();
    try {
      const given = await this.#ask();
      const { token, expiresInMs, refreshAfterMs } = given;
      if (typeof token !== 'string' || typeof expiresInMs !== 'number') {
        throw this.#wrong('bad-answer', 'the server gave no token');
      }
      const refresh = typeof refreshAfterMs === 'number' ? refreshAfterMs : expiresInMs / 2;
      this.#held = { token, refreshAt: asked + refresh, endsAt: asked + expiresInMs };
      return token;
    } catch (error) {
      // While it cannot be refreshed, the old one serves until its end.
      const refused = (error as Partial<TurnoutError>).fatal;
      if (!force && !refused && this.#held && this.#clock.now() < this.#held.endsAt - 5000) return this.#held.token;
      if (refused) this.#held = null;
      throw error;
    }
  }
}
