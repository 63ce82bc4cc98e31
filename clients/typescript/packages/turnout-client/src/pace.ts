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

const DRAIN_PAGES = 20;
const FAILURE_CEILING_MS = 60_000;

/** When to poll next. Pure: time and chance are handed in. */
export class Pace {
  /** The wait before the next poll, before chance. */
  waitMs: number;
  #idleMs = 0;
  #failures = 0;
  #drained = 0;
  #answers: number[] = [];
  #allowance: Allowance | null = null;

  constructor(startMs: number) {
    this.waitMs = startMs;
  }

  /** What was idle is looked at as at the start. */
  restart(): void {
    this.#idleMs = 0;
  }

  /**
   * Takes in what a poll came to, and returns the wait before the next one. The time for which a poll was held counts as waiting: one
   * that was held to its end is followed at once, and the waits between the starts of two polls are what they are without.
   */
  after(
    outcome: Outcome,
    polling: Polling,
    now: number,
    random: number,
    said: { allowance: Allowance | null; retryAfterMs: number; heldMs?: number },
  ): number {
    if (said.allowance) this.#allowance = said.allowance;
    if (outcome !== 'failed' && outcome !== 'limited') {
      this.#failures = 0;
      this.#answers.push(now);
    }
    let floor = Math.max(polling.minMs, 1000);
    const chance = 0.95 + random * 0.1;
    let wait: number;
    if (outcome === 'more') {
      this.#idleMs = polling.startMs;
      this.#drained += 1;
      const fast = this.#drained < DRAIN_PAGES && this.#halfIsLeft(now);
      wait = fast ? 0 : Math.max(floor, this.#share(now));
      this.waitMs = wait;
      return Math.max(wait, said.retryAfterMs);
    }
    this.#drained = 0;
    if (outcome === 'failed') {
      const full = Math.min(FAILURE_CEILING_MS, polling.startMs * 2 ** this.#failures);
      this.#failures = Math.min(this.#failures + 1, 16);
      wait = full / 2 + (random * full) / 2;
    } else {
      if (outcome === 'events' || this.#idleMs === 0) this.#idleMs = polling.startMs;
      else if (outcome === 'empty') this.#idleMs = this.#idleMs * polling.factor;
      this.#idleMs = Math.min(polling.maxMs, this.#idleMs);
      const { heldMs = 0 } = said;
      // The server did the waiting. One that answers sooner has no place for another held poll of this user.
      if (outcome === 'empty' && heldMs > 0 && heldMs >= polling.waitMs * 0.9) this.#idleMs = floor;
      wait = Math.max(this.#idleMs, this.#share(now)) * chance - heldMs;
      if (heldMs > 0) floor = Math.max(0, floor - heldMs);
    }
    this.waitMs = Math.max(wait, floor * 0.95, said.retryAfterMs);
    return this.waitMs;
  }

  /** Of an allowance that several tabs share, this one takes its own part: w × (q − r) ÷ (0.8 × q × m), with m answers of its own. */
  #share(now: number): number {
    const allowance = this.#allowance;
    if (!allowance) return 0;
    const own = this.#own(now, allowance.windowMs);
    if (own === 0) return 0;
    return (allowance.windowMs * (allowance.quota - allowance.left)) / (0.8 * allowance.quota * own);
  }

  #halfIsLeft(now: number): boolean {
    const allowance = this.#allowance;
    if (!allowance) return this.#own(now, 60_000) < 30;
    return allowance.left >= allowance.quota / 2 && this.#own(now, allowance.windowMs) < allowance.quota / 2;
  }

  #own(now: number, windowMs: number): number {
    this.#answers = this.#answers.filter((at) => at > now - Math.max(windowMs, 60_000));
    return this.#answers.filter((at) => at > now - windowMs).length;
  }
}

/** The first `r` of `RateLimit` with the `q` and `w` of `RateLimit-Policy`; null for anything that is not well formed. */
export function allowanceOf(headers: Headers): Allowance | null {
  const quota = parameter(headers.get('RateLimit-Policy'), 'q');
  const window = parameter(headers.get('RateLimit-Policy'), 'w');
  const left = parameter(headers.get('RateLimit'), 'r');
  if (!quota || !window || left === null || left > quota) return null;
  return { quota, windowMs: window * 1000, left };
}

/** The longer of `Retry-After` and, on a refusal, the `t` of `RateLimit`; 0 if neither is there. */
export function retryAfterOf(headers: Headers, refused: boolean): number {
  const after = headers.get('Retry-After');
  const seconds = after && /^\d{1,6}$/.test(after.trim()) ? Number(after) : 0;
  const free = refused ? (parameter(headers.get('RateLimit'), 't') ?? 0) : 0;
  return Math.max(seconds, free) * 1000;
}

function parameter(field: string | null, name: string): number | null {
  const found = field?.match(new RegExp(`;\\s*${name}=(\\d{1,9})\\s*(?=[;,]|$)`));
  return found ? Number(found[1]) : null;
}
