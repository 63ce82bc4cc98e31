import { defaultDocument, documentOf } from './defaults.js';
import { asTurnoutError, type TurnoutError } from './error.js';
import { type Answer, Http } from './http.js';
import { followPage, type PageState } from './page_life.js';
import type { Parts } from './parts.js';
import { type Plan, plan } from './plan.js';
import { Poller, type PollerEvents } from './poller.js';
import { NOW, Position } from './position.js';
import { isLater, REVISION } from './revision.js';
import type { Runner, RunnerEvents } from './runner.js';
import { start } from './start.js';
import { Timers } from './timers.js';
import type { ClientOptions, Clock, Cursor, Snapshot, StrategyDocument, StreamEvent } from './types.js';

/** How long a hidden page keeps its stream, and the wait before code that did not load is asked for again. */
const LONG_MS = 60_000;
const ASK_AGAIN_MS = 1000;

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

/** What the supervisor tells the client. */
export interface SupervisorEvents {
  delivered(events: readonly StreamEvent[]): void;
  reset(cursor: Cursor): void;
  failed(error: TurnoutError): void;
  snapshot(snapshot: Snapshot): void;
  /** The server said where to report. */
  reportable(http: Http, position: Position, document: StrategyDocument): void;
}

/** Asks for the strategy, and starts and stops the transports it asks for. */
export class Supervisor implements PollerEvents, RunnerEvents {
  readonly #parts: Parts;
  readonly #poller: Poller;
  /** The code of realtime is loaded when it is first needed: users on polling do without it. */
  #runner: Runner | null = null;
  /** Null: it could not be loaded, and it is tried again later. */
  #loading: boolean | null = false;
  readonly #timers: Timers;
  readonly #tasks = new Set<Promise<unknown>>();
  #ending = new AbortController();
  document: StrategyDocument;
  #etag: string | null = null;
  revision: string | null = null;
  #askedAt = -Infinity;
  #answeredAt = -Infinity;
  #known = false;
  #failures = 0;
  #asking = false;
  #askAgain = false;
  /** Undefined: it never ran. */
  #running: boolean | undefined;
  #unauthenticated = false;
  #ended = false;
  #upToDate = false;
  #error: TurnoutError | null = null;
  #page: PageState = { hidden: false, frozen: false };
  #streamAside = false;
  #unfollow: (() => void) | undefined;

  readonly #options: ClientOptions<never>;
  readonly #tell: SupervisorEvents;

  constructor(options: ClientOptions<never>, tell: SupervisorEvents) {
    this.#options = options;
    this.#tell = tell;
    const clock = options.clock ?? systemClock;
    this.#timers = new Timers(clock);
    const { initialCursor } = options;
    const given = initialCursor === 'start' ? null : ((initialCursor ?? null) as Cursor | null);
    this.#parts = {
      http: new Http(options, clock),
      position: new Position(given, options.dedupeWindow ?? 1000),
      clock,
      random: options.random ?? Math.random,
      track: (task) => this.#track(task),
    };
    this.document = this.#forced(documentOf(options.initialStrategy, options.flag) ?? defaultDocument(options.flag));
    this.#known = !!(options.initialStrategy || options.force);
    this.#poller = new Poller(this.#parts, this);
  }

  // What transports tell and ask.

  reset(cursor: Cursor): void {
    this.#tell.reset(cursor);
  }

  ended(): void {
    this.#ended = true;
    this.changed();
  }

  heartbeat(etag: string): void {
    if (etag !== this.#etag) this.askSoon();
  }

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** Where it cannot be loaded, the client polls, and tries again. */
  async #load(): Promise<void> {
    this.#loading = true;
    try {
      const { Runner } = await import('./runner.js');
      this.#runner = new Runner(this.#parts, this.#options, this, new Timers(this.#parts.clock), start);
    } catch {
      this.#loading = null;
      this.#timers.set('load', LONG_MS, () => {
        this.#loading = false;
        this.changed();
      });
    }
    this.changed();
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#unauthenticated = false;
    this.#ending = new AbortController();
    this.#unfollow = followPage((page, woken) => this.#onPage(page, woken));
    this.#ask();
    this.changed();
  }

  async stop(): Promise<void> {
    this.#running &&= false;
    this.#unfollow?.();
    this.#runner?.end();
    this.#timers.clear('ask', 'hidden', 'load');
    this.#ending.abort();
    this.changed();
    await Promise.allSettled(this.#tasks);
  }

  refresh(): void {
    this.#unauthenticated = false;
    this.#ask();
    this.#poller.now();
    this.changed();
  }

  snapshot(): Snapshot {
    const now = this.plan();
    const place = this.#parts.position.cursor;
    return {
      mode: this.#running == null ? 'idle' : now.mode,
      strategy: this.#known ? (this.document.strategy as Snapshot['strategy']) : null,
      reason: this.#reason(),
      cursor: place === NOW ? null : place,
      upToDate: this.#upToDate,
      bridging: now.bridging,
      intervalMs: Math.round(this.#poller.pace.waitMs),
      error: this.#error,
    };
  }

  plan(): Plan {
    return plan({
      document: this.document,
      running: !!this.#running,
      follows: this.#options.stream !== null,
      unauthenticated: this.#unauthenticated,
      ended: this.#ended,
      paused: this.#paused() && (this.#streamAside || !this.#runner?.live),
      canRealtime: !this.#runner?.unsupported && this.#kindIsKnown(),
      live: this.#runner?.live ?? false,
      resting: this.#loading === null || !!this.#runner?.resting,
      failed: this.#loading === null || this.#runner?.resting === 'failed',
    });
  }

  #reason(): string {
    if (!this.#known) return this.#error?.code ?? 'asking';
    if (this.document.strategy !== 'realtime-v2') return this.document.reason;
    if (this.#runner?.unsupported) return 'unsupported';
    if (!this.#kindIsKnown()) return 'unknown-kind';
    return this.#runner?.resting === 'tabs' ? 'tabs' : this.document.reason;
  }

  #kindIsKnown(): boolean {
    const kind = this.document.realtime?.kind ?? '';
    return kind === 'sse' || Object.hasOwn(this.#options.transports ?? {}, kind);
  }

  #paused(): boolean {
    return this.#page.frozen || (this.#page.hidden && this.#options.hidden !== 'run');
  }

  /** Makes the plan so. Leaving is never delayed; the first poll after it and entering are spread. */
  changed(leaving = false): void {
    const now = this.plan();
    if (!now.realtime && this.#runner?.entered) this.#runner.leave();
    if (!now.poll && this.#poller.running) this.#poller.stop();
    const spread = this.#parts.random() * this.document.enterSpreadMs;
    // From now on: the first poll says where that is.
    if (now.realtime && this.#parts.position.cursor !== NOW) {
      if (!this.#runner && !this.#loading) this.#track(this.#load());
      if (this.#runner?.entered === false) this.#runner.enter(spread);
    }
    if (now.poll && !this.#poller.running) {
      const lost = now.bridging && this.#upToDate;
      this.#poller.start(leaving ? spread : lost ? this.document.polling.startMs : 0, leaving);
    }
    this.#tell.snapshot(this.snapshot());
  }

  delivered(events: readonly StreamEvent[], upToDate: boolean): void {
    // A stream that was not there is: realtime does not wait for its next try.
    if (this.#poller.missed) this.#runner?.wake();
    this.#error = null;
    if (events.length > 0) {
      // First the place behind the events, for a page that keeps it.
      this.#tell.snapshot(this.snapshot());
      this.#tell.delivered(events);
    }
    this.#upToDate = upToDate;
  }

  /** A 401 of an older session is none of the one that is asked with, or will be: the next answer says. */
  failed(error: TurnoutError, ofSession = true): void {
    if (error.status === 401 && ofSession && !(this.#asking || this.#askAgain)) this.#unauthenticated = true;
    this.#error = error;
    this.#tell.failed(error);
    if (this.#unauthenticated) this.changed();
  }

  #onPage(page: PageState, woken: boolean): void {
    this.#page = page;
    this.#timers.clear('hidden');
    this.#streamAside = page.frozen;
    if (this.#paused()) {
      // A short look elsewhere costs no new connection.
      this.#timers.set('hidden', LONG_MS, () => {
        this.#streamAside = true;
        this.changed();
      });
    }
    if (woken) {
      this.#unauthenticated = false;
      if (!this.#runner?.live) {
        this.#runner?.wake();
        this.#upToDate = false;
      }
      if (this.#parts.clock.now() - this.#answeredAt >= this.document.validForMs) this.#ask();
      else this.#askLater(this.document.validForMs);
      this.#poller.now();
    }
    this.changed();
  }

  /** A feed answer names the position of the flag. A node that is behind is asked again after the next poll; one that fails, at leisure. */
  hear(revision: string | null): void {
    if (!this.#failures && isLater(revision, this.revision)) this.askSoon();
  }

  take(json: unknown, etag: string | null, revision: string | null): void {
    const document = documentOf(json, this.#options.flag);
    if (!document || isLater(this.revision, revision)) return;
    const before = this.document.strategy;
    const first = !this.#known;
    this.document = this.#forced(document);
    // A proxy that packs answers makes tags weak, and a stream names them as they were.
    this.#etag = etag?.replace(/^W\//, '') ?? null;
    this.revision = revision ?? this.revision;
    this.#known = true;
    this.#answeredAt = this.#parts.clock.now();
    if (first && !this.#error) this.#poller.renew();
    if (before !== this.document.strategy) {
      this.#runner?.wake();
      if (this.document.strategy === 'realtime-v2') this.#poller.now();
    }
    this.changed(before === 'realtime-v2' && this.document.strategy === 'polling');
  }

  /** A server said that the strategy is another: it is asked for, once a second at most, whatever a server says. */
  askSoon(): void {
    this.#askAgain = true;
    this.#askLater(Math.min(ASK_AGAIN_MS, this.#askedAt + ASK_AGAIN_MS - this.#parts.clock.now()));
  }

  #ask(): void {
    if (!this.#running || this.#ended || this.#options.force) return;
    if (this.#asking) this.#askAgain = true;
    else this.#track(this.askNow());
  }

  async askNow(): Promise<void> {
    if (this.#asking) return;
    const { flag, attributes } = this.#options;
    const { signal } = this.#ending;
    const { http, position, clock, random } = this.#parts;
    this.#asking = true;
    this.#askedAt = clock.now();
    this.#timers.clear('ask');
    this.#askAgain = false;
    let answer: Answer | undefined;
    let error: TurnoutError | undefined;
    try {
      answer = await http.ask(http.url(undefined, `/v1/strategy/${encodeURIComponent(flag)}`), {
        headers: this.#etag ? { 'If-None-Match': this.#etag } : {},
        body: attributes ? { attributes: attributes() } : {},
        signal,
      });
    } catch (thrown) {
      error = asTurnoutError(thrown);
    }
    this.#asking = false;
    // What was started again meanwhile asks now.
    if (signal.aborted) return this.#ask();
    if (answer) {
      this.#failures = 0;
      this.#answeredAt = clock.now();
      const revision = answer.headers.get(REVISION);
      if (answer.status === 200) this.take(answer.json, answer.headers.get('ETag'), revision);
      else if (isLater(revision, this.revision)) this.revision = revision;
      if (this.document.report.url) this.#tell.reportable(http, position, this.document);
    }
    let wait = this.document.validForMs;
    if (error) {
      wait = Math.max(Math.min(wait, ASK_AGAIN_MS * 2 ** this.#failures++), error.retryAfterMs);
      if (clock.now() - this.#answeredAt > this.document.staleIfErrorMs && this.#known) {
        this.document = defaultDocument(flag);
        this.#etag = null;
        this.#known = false;
      }
      this.failed(error);
    }
    if (this.#askAgain) wait = Math.min(wait, ASK_AGAIN_MS);
    if (this.#running && !this.#unauthenticated) this.#askLater(Math.max(ASK_AGAIN_MS, wait) * (0.9 + 0.2 * random()));
    this.changed();
  }

  #askLater(ms: number): void {
    this.#timers.set('ask', ms, () => !this.#paused() && this.#ask());
  }

  #forced(document: StrategyDocument): StrategyDocument {
    const { force } = this.#options;
    return force ? { ...document, strategy: force } : document;
  }

  #track(task: Promise<unknown>): void {
    this.#tasks.add(task);
    const done = () => void this.#tasks.delete(task);
    task.then(done, done);
  }
}
