import { defaultDocument, documentOf } from './defaults.js';
import { asTurnoutError, type TurnoutError } from './error.js';
import { Http } from './http.js';
import { followPage, type PageState } from './page_life.js';
import { plan } from './plan.js';
import { Poller } from './poller.js';
import { Position } from './position.js';
import { isLater } from './revision.js';
import type { Runner } from './runner.js';
import { start } from './start.js';
import { Timers } from './timers.js';
import type { ClientOptions, Clock, Cursor, Snapshot, StrategyDocument, StreamEvent } from './types.js';

const HIDDEN_STREAM_MS = 60_000;
const ASK_AGAIN_MS = 1000;
const LOAD_AGAIN_MS = 60_000;

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
export class Supervisor {
  readonly #http: Http;
  readonly #position: Position;
  readonly #poller: Poller;
  /** The code of realtime is loaded when it is first needed: users on polling do without it. */
  #runner: Runner | null = null;
  #loading = false;
  #loadFailed = false;
  readonly #first: 'now' | null;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: () => number;
  readonly #tasks = new Set<Promise<unknown>>();
  #ending = new AbortController();
  #document: StrategyDocument;
  #etag: string | null = null;
  #revision: string | null = null;
  #askedFor: string | null = null;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #known = false;
  #failures = 0;
  #asking = false;
  #askAgain = false;
  #running = false;
  #everStarted = false;
  #unauthenticated = false;
  #ended = false;
  #upToDate = false;
  #error: TurnoutError | null = null;
  #page: PageState = { hidden: false, frozen: false };
  #streamAside = false;
  #unfollow: () => void = () => {};

  readonly #options: ClientOptions<never>;
  readonly #tell: SupervisorEvents;

  constructor(options: ClientOptions<never>, tell: SupervisorEvents) {
    this.#options = options;
    this.#tell = tell;
    this.#clock = options.clock ?? systemClock;
    this.#timers = new Timers(this.#clock);
    this.#random = options.random ?? Math.random;
    this.#http = new Http(options, this.#clock);
    const { initialCursor } = options;
    const given = initialCursor === 'start' || initialCursor === 'now' ? null : (initialCursor ?? null);
    this.#first = initialCursor === 'now' ? 'now' : null;
    this.#position = new Position(given, options.dedupeWindow ?? 1000);
    this.#document = this.#forced(documentOf(options.initialStrategy, options.flag) ?? defaultDocument(options.flag));
    this.#known = options.initialStrategy !== undefined || options.force !== undefined;
    this.#poller = new Poller(
      this.#http,
      this.#position,
      this.#clock,
      this.#random,
      this.#first,
      {
        ...this.#shared(),
        plan: () => this.#planned(),
        flagRevision: (revision) => this.#hear(revision),
      },
      (task) => this.#track(task),
    );
  }

  /** What both transports tell. */
  #shared() {
    return {
      document: () => this.#document,
      delivered: (events: readonly StreamEvent[], upToDate: boolean) => this.#deliver(events, upToDate),
      reset: (cursor: Cursor) => this.#tell.reset(cursor),
      failed: (error: TurnoutError) => this.#fail(error),
      ended: () => {
        this.#ended = true;
        this.#reconcile();
      },
      changed: () => this.#reconcile(),
    };
  }

  /** Where it cannot be loaded, the client polls, and tries again. */
  async #load(): Promise<void> {
    this.#loading = true;
    try {
      const { Runner } = await import('./runner.js');
      this.#runner = new Runner(
        this.#http,
        this.#position,
        this.#clock,
        this.#random,
        this.#options,
        this.#first,
        {
          ...this.#shared(),
          strategy: (document, etag, position) => this.#take(document, etag, position),
          heartbeat: (etag) => etag !== this.#etag && this.#ask(),
          revision: () => this.#revision,
          signal: () => this.#ending.signal,
          refused: () => this.#ask(),
        },
        (task) => this.#track(task),
        new Timers(this.#clock),
        start,
      );
    } catch {
      this.#loadFailed = true;
      this.#timers.set('load', LOAD_AGAIN_MS, () => {
        this.#loadFailed = false;
        this.#reconcile();
      });
    }
    this.#loading = false;
    this.#reconcile();
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#everStarted = true;
    this.#unauthenticated = false;
    this.#ending = new AbortController();
    this.#unfollow = followPage((page, woken) => this.#onPage(page, woken));
    this.#ask();
    this.#reconcile();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#unfollow();
    this.#runner?.end();
    this.#timers.clear('ask', 'hidden', 'load');
    this.#ending.abort();
    this.#reconcile();
    await Promise.allSettled(this.#tasks);
  }

  refresh(): void {
    this.#unauthenticated = false;
    this.#ask();
    this.#poller.now();
    this.#reconcile();
  }

  snapshot(): Snapshot {
    const now = this.#planned();
    return {
      mode: this.#everStarted ? now.mode : 'idle',
      strategy: this.#known ? (this.#document.strategy as Snapshot['strategy']) : null,
      reason: this.#reason(),
      cursor: this.#position.cursor,
      upToDate: this.#upToDate,
      bridging: now.bridging,
      intervalMs: Math.round(this.#poller.pace.waitMs),
      error: this.#error,
    };
  }

  #planned() {
    return plan({
      document: this.#document,
      running: this.#running,
      follows: this.#options.stream !== null,
      unauthenticated: this.#unauthenticated,
      ended: this.#ended,
      paused: this.#paused() && (this.#streamAside || !this.#runner?.live),
      canRealtime: !this.#runner?.unsupported && this.#kindIsKnown(),
      live: this.#runner?.live ?? false,
      resting: this.#loadFailed || !!this.#runner?.resting,
      failed: this.#loadFailed || this.#runner?.resting === 'failed',
    });
  }

  #reason(): string {
    if (!this.#known) return this.#error ? 'unreachable' : 'ERROR';
    if (this.#document.strategy !== 'realtime-v2') return this.#document.reason;
    if (this.#runner?.unsupported) return 'unsupported';
    if (!this.#kindIsKnown()) return 'unknown-kind';
    return this.#runner?.resting === 'tabs' ? 'tabs' : this.#document.reason;
  }

  #kindIsKnown(): boolean {
    const kind = this.#document.realtime?.kind ?? '';
    return kind === 'sse' || Object.hasOwn(this.#options.transports ?? {}, kind);
  }

  #paused(): boolean {
    return this.#page.frozen || (this.#page.hidden && this.#options.hidden !== 'run');
  }

  /** Makes the plan so. Leaving is never delayed; the first poll after it and entering are spread. */
  #reconcile(leaving = false): void {
    const now = this.#planned();
    if (!now.realtime && this.#runner?.entered) this.#runner.leave();
    if (!now.poll && this.#poller.running) this.#poller.stop();
    const spread = this.#random() * this.#document.enterSpreadMs;
    if (now.realtime) {
      if (!this.#runner && !this.#loading) this.#track(this.#load());
      if (this.#runner?.entered === false) this.#runner.enter(spread);
    }
    if (now.poll && !this.#poller.running) {
      const lost = now.bridging && this.#upToDate && !leaving;
      this.#poller.start(leaving ? spread : lost ? this.#document.polling.startMs : 0);
    }
    this.#tell.snapshot(this.snapshot());
  }

  #deliver(events: readonly StreamEvent[], upToDate: boolean): void {
    this.#upToDate = upToDate;
    // A stream that was not there is: realtime does not wait for its next try.
    if (this.#error?.status === 404) this.#runner?.wake();
    this.#error = null;
    if (events.length > 0) this.#tell.delivered(events);
  }

  #fail(error: TurnoutError): void {
    if (error.status === 401) this.#unauthenticated = true;
    this.#error = error;
    this.#tell.failed(error);
    if (this.#unauthenticated) this.#reconcile();
  }

  #onPage(page: PageState, woken: boolean): void {
    this.#page = page;
    this.#timers.clear('hidden');
    this.#streamAside = page.frozen;
    if (this.#paused() && !page.frozen) {
      // A short look elsewhere costs no new connection.
      this.#timers.set('hidden', HIDDEN_STREAM_MS, () => {
        this.#streamAside = true;
        this.#reconcile();
      });
    }
    if (woken && this.#running) {
      this.#unauthenticated = false;
      if (!this.#runner?.live) this.#runner?.wake();
      this.#upToDate = false;
      if (this.#clock.now() - this.#answeredAt >= this.#document.validForMs) this.#ask();
      else this.#askLater(this.#document.validForMs);
      this.#poller.now();
    }
    if (this.#running) this.#reconcile();
  }

  /** A feed answer names the position of the flag; a later one than ours is asked for, once. */
  #hear(revision: string | null): void {
    if (!isLater(revision, this.#revision) || !isLater(revision, this.#askedFor)) return;
    this.#askedFor = revision;
    this.#ask();
  }

  #take(json: unknown, etag: string | null, revision: string | null): void {
    const document = documentOf(json, this.#options.flag);
    if (!document || isLater(this.#revision, revision)) return;
    const before = this.#document.strategy;
    const first = !this.#known;
    this.#document = this.#forced(document);
    this.#etag = etag;
    this.#revision = revision ?? this.#revision;
    this.#known = true;
    this.#answeredAt = this.#clock.now();
    if (first && !this.#error) this.#poller.renew();
    if (before !== this.#document.strategy) {
      this.#runner?.wake();
      if (this.#document.strategy === 'realtime-v2') this.#poller.now();
    }
    this.#reconcile(before === 'realtime-v2' && this.#document.strategy === 'polling');
  }

  #ask(): void {
    if (!this.#running || this.#options.force) return;
    if (this.#asking) {
      this.#askAgain = true;
      return;
    }
    this.#asking = true;
    this.#track(this.#askNow());
  }

  async #askNow(): Promise<void> {
    const { flag, attributes } = this.#options;
    const { signal } = this.#ending;
    this.#timers.clear('ask');
    let wait = this.#document.validForMs;
    try {
      const answer = await this.#http.ask(this.#http.url(undefined, `/v1/strategy/${encodeURIComponent(flag)}`), {
        method: 'POST',
        headers: this.#etag ? { 'If-None-Match': this.#etag } : {},
        body: attributes ? { attributes: attributes() } : {},
        signal,
      });
      if (signal.aborted) return;
      this.#failures = 0;
      this.#answeredAt = this.#clock.now();
      const revision = answer.headers.get('Turnout-Flag-Revision');
      if (answer.status === 200) this.#take(answer.json, answer.headers.get('ETag'), revision);
      else if (isLater(revision, this.#revision)) this.#revision = revision;
      wait = this.#document.validForMs;
      if (this.#document.report.url) this.#tell.reportable(this.#http, this.#position, this.#document);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asTurnoutError(thrown);
      wait = Math.max(Math.min(this.#document.validForMs, ASK_AGAIN_MS * 2 ** this.#failures), error.retryAfterMs);
      this.#failures = Math.min(this.#failures + 1, 10);
      if (this.#clock.now() - this.#answeredAt > this.#document.staleIfErrorMs && this.#known) {
        this.#document = defaultDocument(flag);
        this.#etag = null;
        this.#known = false;
      }
      this.#fail(error);
    } finally {
      this.#asking = false;
    }
    if (this.#askAgain) wait = Math.min(wait, ASK_AGAIN_MS);
    this.#askAgain = false;
    if (this.#running && !this.#unauthenticated) this.#askLater(wait * (0.9 + 0.2 * this.#random()));
    this.#reconcile();
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
