import type { StrategyDocument } from './types.js';

export type Polling = StrategyDocument['polling'];

/** What a poll came to. */
export type Outcome = 'events' | 'more' | 'empty' | 'limited' | 'failed';

/** What the server says about the user's allowance: `quota` answers in any `windowMs`, `left` of them still free. */
export interface Allowance {
  readonly quota: number;
  readonly windowMs: number;
  readonly left: number;
}

/** Answers a user has in a minute, if the server does not say otherwise. */
const A_MINUTE = 60;
const DRAIN_PAGES = 20;
const FAILURE_CEILING_MS = 60_000;
/** After realtime is left, so many waits are as short as two polls may be apart: what is published meanwhile is there soon. */
const SHORT_WAITS = 2;

/** When to poll next. Pure: time and chance are handed in. */
export class Pace {
  /** The wait before the next poll, before chance. */
  waitMs: number;
  #idleMs = 0;
  #failures = 0;
  #drained = 0;
  #short = 0;
  #answers: number[] = [];
  #allowance: Allowance = { quota: A_MINUTE, windowMs: 60_000, left: A_MINUTE };

  constructor(startMs: number) {
    this.waitMs = startMs;
  }

  /** What was idle is looked at as at the start; after realtime, sooner. */
  restart(left: boolean): void {
    this.#idleMs = 0;
    if (left) this.#short = SHORT_WAITS;
  }

  /**
   * Takes in what a poll came to, and returns the wait before the next one. The time a poll took counts as waiting, so that waits lie
   * between the starts of two polls: one that was held to its end is followed at once. Of a poll that was not held at most half a wait
   * counts, so that a slow server is not asked without a pause.
   */
  after(
    outcome: Outcome,
    polling: Polling,
    now: number,
    random: number,
    said: { allowance: Allowance | null; retryAfterMs: number; tookMs?: number; held?: boolean },
  ): number {
    if (said.allowance) this.#allowance = said.allowance;
    if (outcome !== 'failed' && outcome !== 'limited') {
      this.#failures = 0;
      this.#answers.push(now);
    }
    const floor = Math.max(polling.minMs, 1000);
    let least = floor * 0.95;
    const chance = 0.95 + random * 0.1;
    let wait: number;
    this.#drained = outcome === 'more' ? this.#drained + 1 : 0;
    if (outcome === 'more') {
      this.#idleMs = polling.startMs;
      const fast = this.#drained < DRAIN_PAGES && this.#isLeft(0.5, now);
      wait = least = fast ? 0 : Math.max(floor, this.#share(now));
    } else if (outcome === 'failed') {
      const full = Math.min(FAILURE_CEILING_MS, polling.startMs * 2 ** this.#failures);
      this.#failures = Math.min(this.#failures + 1, 16);
      wait = full / 2 + (random * full) / 2;
    } else {
      if (outcome === 'events' || this.#idleMs === 0) this.#idleMs = polling.startMs;
      else if (outcome === 'empty') this.#idleMs = this.#idleMs * polling.factor;
      this.#idleMs = Math.min(polling.maxMs, this.#idleMs);
      const { tookMs = 0, held } = said;
      // The server did the waiting. One that answers sooner has no place for another held poll of this user.
      if (outcome === 'empty' && held && tookMs >= polling.waitMs * 0.9) this.#idleMs = floor;
      wait = Math.max(this.#idleMs, this.#share(now)) * chance;
      if (this.#short-- > 0) {
        this.#idleMs = 0;
        if (this.#isLeft(0.5, now)) wait = least = polling.dedupeMs;
      }
      const counts = held ? tookMs : Math.min(tookMs, wait / 2);
      wait -= counts;
      least -= counts;
    }
    this.waitMs = Math.max(wait, least, said.retryAfterMs);
    return this.waitMs;
  }

  /**
   * Of an allowance that several tabs share, and of which less than three quarters are left, this one takes its own part:
   * w × (q − r) ÷ (0.8 × q × m), with m answers of its own in a minute.
   */
  #share(now: number): number {
    const { quota, windowMs, left } = this.#allowance;
    const own = this.#own(now);
    return own === 0 || this.#isLeft(0.75, now) ? 0 : (windowMs * (quota - left)) / (0.8 * quota * own);
  }

  /** Whether so much of the allowance is left, and this one did not use up the rest. A larger allowance does not hurry it. */
  #isLeft(part: number, now: number): boolean {
    const { quota, left } = this.#allowance;
    return left >= quota * part && this.#own(now) < A_MINUTE * (1 - part);
  }

  #own(now: number): number {
    this.#answers = this.#answers.filter((at) => at > now - 60_000);
    return this.#answers.length;
  }
}

/** The first `r` of `RateLimit` with the `q` and `w` of `RateLimit-Policy`; null for anything that is not well formed. */
export function allowanceOf(headers: Headers): Allowance | null {
  const policy = headers.get('RateLimit-Policy');
  const quota = parameter(policy, 'q');
  const window = parameter(policy, 'w');
  const left = parameter(headers.get('RateLimit'), 'r');
  if (!quota || !window || left === null || left > quota) return null;
  return { quota, windowMs: window * 1000, left };
}

/** The longer of `Retry-After` and, on a refusal, the `t` of `RateLimit`; 0 if neither is there. */
export function retryAfterOf(headers: Headers, refused: boolean): number {
  const after = headers.get('Retry-After');
  const seconds = /^\d{1,6}$/.test(after ?? '') ? Number(after) : 0;
  const free = refused ? (parameter(headers.get('RateLimit'), 't') ?? 0) : 0;
  return Math.max(seconds, free) * 1000;
}

function parameter(field: string | null, name: string): number | null {
  const found = field?.match(new RegExp(`;\\s*${name}=(\\d{1,6})\\s*(?=[;,]|$)`));
  return found ? Number(found[1]) : null;
}
