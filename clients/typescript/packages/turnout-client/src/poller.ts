import { asTurnoutError, type TurnoutError } from './error.js';
import type { Http } from './http.js';
import { allowanceOf, Pace, type Polling } from './pace.js';
import type { Plan } from './plan.js';
import { poll } from './poll.js';
import type { Generation, Position } from './position.js';
import { type Slot, takeSlot } from './slots.js';
import { Timers } from './timers.js';
import type { Clock, Cursor, StrategyDocument, StreamEvent } from './types.js';

/** What the poller tells the supervisor. */
export interface PollerEvents {
  document(): StrategyDocument;
  /** While realtime connects, polls come no slower than they start; while it is wanted, none is held: it needs the place. */
  plan(): Plan;
  delivered(events: readonly StreamEvent[], upToDate: boolean): void;
  reset(cursor: Cursor): void;
  flagRevision(revision: string | null): void;
  ended(): void;
  failed(error: TurnoutError): void;
  changed(): void;
}

/** Polls while it runs. The pace outlives its stops, so that no switch polls more often than the document allows. */
export class Poller {
  running = false;
  readonly pace: Pace;
  #generation: Generation = 0;
  #ending = new AbortController();
  readonly #timers: Timers;
  #lastStart = Number.NEGATIVE_INFINITY;
  #tag: { cursor: Cursor | null; etag: string } | null = null;
  #draining = false;
  #resets = 0;
  #inFlight = false;
  /** The place of the poll that is held now. */
  #slot: Slot | null = null;

  readonly #http: Http;
  readonly #position: Position;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #first: 'now' | null;
  readonly #events: PollerEvents;
  readonly #track: (task: Promise<void>) => void;

  constructor(
    http: Http,
    position: Position,
    clock: Clock,
    random: () => number,
    first: 'now' | null,
    events: PollerEvents,
    track: (task: Promise<void>) => void,
  ) {
    this.#http = http;
    this.#position = position;
    this.#clock = clock;
    this.#timers = new Timers(clock);
    this.#random = random;
    this.#first = first;
    this.#events = events;
    this.#track = track;
    this.pace = new Pace(events.document().polling.startMs);
  }

  start(delayMs: number): void {
    this.running = true;
    this.#generation = this.#position.open();
    this.#ending = new AbortController();
    this.#inFlight = false;
    this.pace.restart();
    this.#schedule(delayMs);
  }

  /** The document came after the first poll: the second one goes by it. */
  renew(): void {
    if (!this.running || this.#inFlight) return;
    const { startMs } = this.#polling();
    this.#schedule(Math.min(this.pace.waitMs, startMs) + this.#lastStart - this.#clock.now());
  }

  /** At once: what is asked and not answered yet changes nothing any more. */
  stop(): void {
    this.running = false;
    this.#position.close(this.#generation);
    this.#timers.clear('poll');
    this.#ending.abort();
    this.#release();
  }

  /** Polls now, but not sooner after the last one than the document allows. A poll that is held makes room for realtime. */
  now(): void {
    if (!this.running) return;
    if (this.#slot && this.#events.plan().bridging) {
      this.stop();
      this.start(0);
    } else if (!this.#inFlight) this.#schedule(0);
  }

  #release(): void {
    this.#slot?.release();
    this.#slot = null;
  }

  #polling(): Polling {
    const { polling } = this.#events.document();
    return this.#events.plan().mode === 'connecting' ? { ...polling, maxMs: polling.startMs } : polling;
  }

  #schedule(delayMs: number): void {
    const earliest = this.#draining
      ? 0
      : this.#lastStart + this.#events.document().polling.dedupeMs - this.#clock.now();
    this.#timers.set('poll', Math.max(0, delayMs, earliest), () => this.#track(this.#once()));
  }

  async #once(): Promise<void> {
    const generation = this.#generation;
    const ending = this.#ending;
    const from = this.#position.cursor;
    this.#lastStart = this.#clock.now();
    this.#inFlight = true;
    const wait = await this.#ask(generation, from, ending.signal).catch((error) =>
      this.#judge(asTurnoutError(error), from, generation),
    );
    if (!this.#position.isOpen(generation) || this.#generation !== generation) return;
    this.#inFlight = false;
    if (wait !== null) this.#schedule(wait);
    this.#events.changed();
  }

  /** One poll; the wait before the next, null if there is none. */
  async #ask(generation: Generation, from: Cursor | null, signal: AbortSignal): Promise<number | null> {
    const { flag } = this.#events.document();
    const polling = this.#polling();
    const url = this.#http.url(polling.url, `/v1/feeds/${encodeURIComponent(flag)}/{stream}`);
    const holdMs = (await this.#takePlace(url, signal)) ? polling.waitMs : 0;
    const began = this.#clock.now();
    const etag = !this.#draining && this.#tag?.cursor === from ? this.#tag.etag : null;
    const answer = await poll(
      this.#http,
      polling,
      url,
      { cursor: from ?? this.#first, etag, draining: this.#draining, holdMs },
      signal,
    ).finally(() => this.#generation === generation && this.#release());
    const { batch } = answer;
    if (batch) {
      const fresh = this.#position.commit(generation, from, batch);
      if (!fresh) return null;
      this.#tag = answer.etag && batch.events.length === 0 ? { cursor: batch.cursor, etag: answer.etag } : null;
      this.#draining = batch.hasMore;
      this.#events.delivered(fresh, !batch.hasMore);
      if (batch.ended && !batch.hasMore) this.#events.ended();
    } else if (this.#position.isOpen(generation)) {
      this.#events.delivered([], true);
    }
    if (!this.#position.isOpen(generation)) return null;
    this.#resets = 0;
    this.#events.flagRevision(answer.flagRevision);
    if (!this.#position.isOpen(generation)) return null;
    // By the document of now, which may be newer than the poll.
    return this.pace.after(answer.outcome, this.#polling(), this.#clock.now(), this.#random(), {
      allowance: answer.allowance,
      retryAfterMs: 0,
      heldMs: holdMs && this.#clock.now() - began,
    });
  }

  /** Whether the next poll may be held. Not if it is a bridge to realtime, or other tabs have all places. */
  async #takePlace(url: URL, signal: AbortSignal): Promise<boolean> {
    if (!this.#polling().waitMs || this.#draining || this.#events.plan().bridging) return false;
    const slot = await takeSlot(url.origin);
    if (signal.aborted) {
      slot?.release();
      throw new Error('stopped');
    }
    this.#slot = slot;
    return slot !== null;
  }

  #judge(error: TurnoutError, from: Cursor | null, generation: Generation): number | null {
    if (!this.#position.isOpen(generation)) return null;
    this.#draining = false;
    const polling = this.#polling();
    const headers = (error as { headers?: Headers }).headers;
    this.#events.flagRevision(headers?.get('Turnout-Flag-Revision') ?? null);
    const known = error.status === 429 ? 'limited' : 'failed';
    const wait = (outcome: 'limited' | 'failed', retryAfterMs: number) =>
      this.pace.after(outcome, polling, this.#clock.now(), this.#random(), {
        allowance: headers ? allowanceOf(headers) : null,
        retryAfterMs,
      });
    if (error.cursor && (error.status === 409 || error.status === 410)) {
      const to = error.cursor as Cursor;
      if (this.#position.reset(generation, from, to)) this.#events.reset(to);
      this.#resets += 1;
      return this.#resets === 1 ? 0 : wait('failed', polling.startMs);
    }
    this.#events.failed(error);
    if (!this.#position.isOpen(generation)) return null;
    // Not there, or not the user's yet: no hurry helps.
    if (error.status === 404 || error.status === 403)
      return wait('limited', Math.max(polling.maxMs, error.retryAfterMs));
    return wait(known, error.retryAfterMs);
  }
}
