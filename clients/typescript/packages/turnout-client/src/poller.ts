import { batchOf } from './batch.js';
import { asTurnoutError, type TurnoutError } from './error.js';
import { allowanceOf, type Outcome, Pace, type Polling } from './pace.js';
import type { Parts } from './parts.js';
import type { Plan } from './plan.js';
import type { Generation } from './position.js';
import { REVISION } from './revision.js';
import { type Slot, takeSlot } from './slots.js';
import { Timers } from './timers.js';
import type { Cursor, StrategyDocument, StreamEvent } from './types.js';

/** What the poller tells the supervisor. */
export interface PollerEvents {
  readonly document: StrategyDocument;
  /** While realtime connects, polls come no slower than they start; while it is wanted, none is held: it needs the place. */
  plan(): Plan;
  delivered(events: readonly StreamEvent[], upToDate: boolean): void;
  reset(cursor: Cursor): void;
  /** A feed answer names the position of the flag. */
  hear(revision: string | null): void;
  ended(): void;
  failed(error: TurnoutError): void;
  changed(): void;
}

const DRAIN_LIMIT = 1000;

/** Polls while it runs. The pace outlives its stops, so that no switch polls more often than the document allows. */
export class Poller {
  running = false;
  /** The last answer was that the stream is not there. */
  missed = false;
  readonly pace: Pace;
  #generation: Generation = 0;
  #ending = new AbortController();
  readonly #timers: Timers;
  #lastStart = -Infinity;
  #tag: { cursor: Cursor | null; etag: string } | null = null;
  #draining = false;
  #resets = 0;
  #inFlight = false;
  /** The place of the poll that is held now. */
  #slot: Slot | null = null;

  readonly #parts: Parts;
  readonly #events: PollerEvents;

  constructor(parts: Parts, events: PollerEvents) {
    this.#parts = parts;
    this.#timers = new Timers(parts.clock);
    this.#events = events;
    this.pace = new Pace(events.document.polling.startMs);
  }

  /** `left`: realtime was, just now. */
  start(delayMs: number, left = false): void {
    this.running = true;
    this.#generation = this.#parts.position.open();
    this.#ending = new AbortController();
    this.#inFlight = false;
    this.pace.restart(left);
    this.#schedule(delayMs);
  }

  /** The document came after the first poll: the second one goes by it. */
  renew(): void {
    if (!this.running || this.#inFlight) return;
    const { startMs } = this.#polling();
    this.#schedule(Math.min(this.pace.waitMs, startMs) - this.#tookMs());
  }

  /** At once: what is asked and not answered yet changes nothing any more. */
  stop(): void {
    this.running = false;
    this.#parts.position.close(this.#generation);
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
    const { polling } = this.#events.document;
    return this.#events.plan().mode === 'connecting' ? { ...polling, maxMs: polling.startMs } : polling;
  }

  /** How long ago the last poll began; 0 if the clock was set back meanwhile. */
  #tookMs(): number {
    return Math.max(0, this.#parts.clock.now() - this.#lastStart);
  }

  #schedule(delayMs: number): void {
    const earliest = this.#draining ? 0 : this.#events.document.polling.dedupeMs - this.#tookMs();
    this.#timers.set('poll', Math.max(0, delayMs, earliest), () => this.#parts.track(this.#once()));
  }

  async #once(): Promise<void> {
    const generation = this.#generation;
    const ending = this.#ending;
    const from = this.#parts.position.cursor;
    this.#lastStart = this.#parts.clock.now();
    this.#inFlight = true;
    const wait = await this.#ask(generation, from, ending.signal).catch((error) =>
      this.#judge(asTurnoutError(error), from, generation),
    );
    if (!this.#parts.position.isOpen(generation)) return;
    this.#inFlight = false;
    if (wait !== null) this.#schedule(wait);
    this.#events.changed();
  }

  /** One poll; the wait before the next, null if there is none. */
  async #ask(generation: Generation, from: Cursor | null, signal: AbortSignal): Promise<number | null> {
    const { http, position, clock, random } = this.#parts;
    const polling = this.#polling();
    const url = http.url(polling.url, `/v1/feeds/${encodeURIComponent(this.#events.document.flag)}/{stream}`);
    const holdMs = (await this.#takePlace(url, signal)) ? polling.waitMs : 0;
    const ask = (name: string, value: unknown) => value && url.searchParams.set(name, String(value));
    ask('cursor', from);
    ask('limit', this.#draining ? DRAIN_LIMIT : polling.limit);
    ask('wait', holdMs);
    const tag = this.#tag?.cursor === from ? this.#tag.etag : null;
    const { headers, json } = await http
      .ask(url, { headers: tag ? { 'If-None-Match': tag } : {}, holdMs, signal })
      .finally(() => this.#generation === generation && this.#release());
    if (!position.isOpen(generation)) return null;
    let outcome: Outcome = 'empty';
    if (json === null) this.#events.delivered([], true);
    else {
      const batch = batchOf(json);
      const { events, cursor, hasMore, ended } = batch;
      const fresh = position.commit(generation, from, batch) ?? [];
      const etag = headers.get('ETag');
      this.#tag = etag && events.length === 0 ? { cursor, etag } : null;
      this.#draining = hasMore;
      if (events.length > 0) outcome = 'events';
      if (hasMore) outcome = 'more';
      this.#events.delivered(fresh, !hasMore);
      if (ended && !hasMore) this.#events.ended();
    }
    this.#resets = 0;
    this.missed = false;
    this.#events.hear(headers.get(REVISION));
    // By the document of now, which may be newer than the poll.
    return this.pace.after(outcome, this.#polling(), clock.now(), random(), {
      allowance: allowanceOf(headers),
      retryAfterMs: 0,
      tookMs: this.#tookMs(),
      held: holdMs > 0,
    });
  }

  /** Whether the next poll may be held. Not if it is a bridge to realtime, or other tabs have all places. */
  async #takePlace(url: URL, signal: AbortSignal): Promise<boolean> {
    if (!this.#polling().waitMs || this.#draining || this.#events.plan().bridging) return false;
    const slot = await takeSlot(url.origin);
    if (signal.aborted) {
      slot?.release();
      throw new Error();
    }
    this.#slot = slot;
    return slot !== null;
  }

  #judge(error: TurnoutError, from: Cursor | null, generation: Generation): number | null {
    const { position, clock, random } = this.#parts;
    if (!position.isOpen(generation)) return null;
    this.#draining = false;
    this.missed = error.status === 404;
    const polling = this.#polling();
    const { status, cursor, headers = new Headers() } = error as TurnoutError & { headers?: Headers };
    let { retryAfterMs } = error;
    let outcome: Outcome = status === 429 ? 'limited' : 'failed';
    this.#events.hear(headers.get(REVISION));
    if (cursor && (status === 409 || status === 410)) {
      if (position.reset(generation, from, cursor as Cursor)) this.#events.reset(cursor as Cursor);
      if (this.#resets++ === 0) return 0;
    } else {
      this.#events.failed(error);
      // Not there, or not the user's yet: no hurry helps.
      if (status === 404 || status === 403) {
        outcome = 'limited';
        retryAfterMs = Math.max(polling.maxMs, retryAfterMs);
      }
    }
    const allowance = allowanceOf(headers);
    return this.pace.after(outcome, polling, clock.now(), random(), { allowance, retryAfterMs });
  }
}
