import type { TurnoutError } from './error.js';
import type { Parts } from './parts.js';
import type { Generation } from './position.js';
import { numberOf, serverSentEvents } from './realtime.js';
import type { Slot } from './slots.js';
import type { Start } from './start.js';
import type { Timers } from './timers.js';
import { type Given, TokenSource } from './token.js';
import type { ClientOptions, Cursor, StrategyDocument, StreamEvent, Transport, TransportContext } from './types.js';

const ASK_AFTER_MS = 100;
const STEADY_MS = 10_000;
const NO_PLACE_MS = 15_000;
const ACK_SPREAD_MS = 500;
const FALLBACK_MS = 300_000;
const RETRY_MS = [2000, 4000, 8000, 16_000, 32_000];
/** No wait of a document is taken for shorter. */
const LEAST_RETRY_MS = 1000;

/** What the runner tells the supervisor. */
export interface RunnerEvents {
  readonly document: StrategyDocument;
  delivered(events: readonly StreamEvent[], upToDate: boolean): void;
  reset(cursor: Cursor): void;
  take(document: StrategyDocument, etag: string, position: string): void;
  heartbeat(etag: string): void;
  /** The position of the flag that the document is of. */
  readonly revision: string | null;
  /** Aborted when the client stops. */
  readonly signal: AbortSignal;
  /** The strategy may be another. */
  askSoon(): void;
  /** Asks for the strategy, unless it is being asked for; over when it is heard, or cannot be. */
  askNow(): Promise<void>;
  ended(): void;
  /** `ofSession`: a 401 is one of the session, and not of what it was handed off for. */
  failed(error: TurnoutError, ofSession: boolean): void;
  changed(): void;
}

interface Connection {
  readonly generation: Generation;
  readonly ending: AbortController;
  live: boolean;
  /** It was live for a while: what ends it is no failure. */
  steady?: boolean;
  /** It said goodbye, and when the next one is opened is settled. */
  isFollowed?: boolean;
}

/** Keeps one realtime connection: opens the next before the last one ends, and tries again after the document's waits. */
export class Runner {
  entered = false;
  live = false;
  /** Why it waits for its next try: the waits are spent, or no place was free. */
  resting: 'failed' | 'tabs' | null = null;
  unsupported = false;
  readonly #connections = new Set<Connection>();
  readonly #tokens: TokenSource;
  #slot: Slot | null = null;
  #failures = 0;
  #turn = 0;
  readonly #parts: Parts;
  readonly #options: ClientOptions<never>;
  readonly #events: RunnerEvents;
  readonly #timers: Timers;
  readonly #start: Start;
  readonly #error: TransportContext['error'];

  constructor(parts: Parts, options: ClientOptions<never>, events: RunnerEvents, timers: Timers, start: Start) {
    this.#parts = parts;
    this.#options = options;
    this.#events = events;
    this.#timers = timers;
    this.#start = start;
    this.#error = (code, message) => new start.TurnoutError(code, message);
    this.#tokens = new TokenSource(() => this.#askToken(), parts.clock, this.#error);
  }

  transport(): Transport | undefined {
    const kind = this.#events.document.realtime?.kind ?? '';
    const own = this.#options.transports ?? {};
    return Object.hasOwn(own, kind) ? own[kind] : kind === 'sse' ? serverSentEvents : undefined;
  }

  enter(delayMs: number): void {
    this.entered = true;
    this.#turn += 1;
    this.#timers.set('retry', delayMs, () => this.#parts.track(this.#afterWait(delayMs)));
  }

  /** After a wait the strategy may be another: a token that is refused for that would be an error in the browser's console. */
  async #afterWait(ms: number): Promise<void> {
    const turn = this.#turn;
    if (ms > ASK_AFTER_MS && !this.#options.force) await this.#events.askNow();
    if (turn === this.#turn) await this.#connect();
  }

  /** At once: what comes after this changes nothing. */
  leave(): void {
    this.entered = false;
    this.#turn += 1;
    this.live = false;
    this.#timers.clear('retry', 'refresh', 'steady');
    for (const connection of this.#connections) this.#close(connection);
    this.#slot?.release();
    this.#slot = null;
  }

  /** The page woke, or the strategy changed: try at once. */
  wake(): void {
    this.#timers.clear('rest');
    this.#failures = 0;
    this.resting = null;
  }

  #retry(delayMs: number): true {
    this.#timers.set('retry', delayMs, () => this.#parts.track(this.#connect()));
    return true;
  }

  async #connect(): Promise<void> {
    const { position, http, clock } = this.#parts;
    const turn = this.#turn;
    const transport = this.transport();
    const url = http.url(
      this.#events.document.realtime?.url,
      `/v1/realtime/${encodeURIComponent(this.#options.flag)}/{stream}`,
    );
    if (!transport) return;
    const slot = this.#slot ?? (await this.#start.takeSlot(url.origin));
    if (turn !== this.#turn) {
      if (slot !== this.#slot) slot?.release();
      return;
    }
    if (!slot) return this.#rest('tabs', NO_PLACE_MS);
    this.#slot = slot;
    const connection: Connection = {
      generation: position.open(),
      ending: new AbortController(),
      live: false,
    };
    this.#connections.add(connection);
    let from = position.cursor;
    let ackId: string | undefined;
    const on = () => position.isOpen(connection.generation);
    const reset = (cursor: Cursor) => {
      if (position.reset(connection.generation, from, cursor)) this.#events.reset(cursor);
      // Another transport moved the place: what this one carries cannot be joined to it, and the next one begins there.
      else if (on() && position.cursor !== cursor) this.#over(connection);
      from = cursor;
    };
    let error: TurnoutError | undefined;
    try {
      http.demand(url);
      await transport({
        document: this.#events.document,
        url,
        cursor: from,
        signal: connection.ending.signal,
        fetch: http.fetch,
        clock,
        token: (force) => this.#tokens.get(force),
        live: () => on() && this.#becomeLive(connection),
        error: this.#error,
        refusal: this.#start.refusal,
        push: (json) => {
          const batch = this.#start.batchOf(json);
          const fresh = position.commit(connection.generation, from, batch);
          if (!fresh) return false;
          from = batch.cursor;
          this.#events.delivered(fresh, connection.live && !batch.hasMore);
          return on();
        },
        reset,
        goodbye: (reason, afterMs) => {
          if (!on()) return;
          if (reason === 'ended') this.#events.ended();
          else if (reason !== 'replaced')
            connection.isFollowed = connection.steady ? this.#retry(afterMs) : this.#again(afterMs);
          else if (this.#connections.size < 2) {
            // Not by its own successor: the user has more streams than a server keeps, and a next one would end another.
            this.leave();
            this.#rest('tabs', this.#fallbackMs());
          }
        },
        strategy: (document, etag, position, id) => {
          if (!on()) return;
          ackId = id ?? ackId;
          if (ackId) this.#acknowledge(connection, ackId, position);
          this.#events.take(document, etag, position);
        },
        heartbeat: (etag, position) => {
          if (!on()) return;
          if (ackId) this.#acknowledge(connection, ackId, position);
          this.#events.heartbeat(etag);
        },
      });
    } catch (thrown) {
      error = this.#start.asTurnoutError(thrown);
    }
    if (error?.cursor) reset(error.cursor as Cursor);
    if (on()) this.#over(connection, error);
  }

  #becomeLive(connection: Connection): void {
    if (connection.live) return;
    connection.live = true;
    for (const other of this.#connections) if (other !== connection) this.#close(other);
    this.#timers.clear('retry');
    this.live = true;
    this.resting = null;
    this.#timers.set('steady', STEADY_MS, () => {
      connection.steady = true;
      this.#failures = 0;
    });
    this.#timers.clear('refresh');
    const refresh = this.#tokens.refreshInMs();
    if (refresh !== null) {
      this.#timers.set('refresh', Math.max(STEADY_MS, refresh + 1000), () => this.#retry(0));
    }
    this.#events.delivered([], true);
    this.#events.changed();
  }

  /** A connection ended by itself. While another one is live, only its successor is tried again. */
  #over(connection: Connection, error?: TurnoutError): void {
    this.#close(connection);
    if (connection.live) {
      this.live = false;
      this.#timers.clear('steady', 'refresh');
    }
    if (error?.code === 'unsupported') this.unsupported = true;
    if (error && !this.unsupported) {
      this.#parts.http.failed?.();
      // A token that is good was refused: the session is not what is wrong.
      this.#events.failed(error, this.#tokens.refreshInMs() === null);
    }
    if (error?.status === 403 || error?.status === 204) this.#events.askSoon();
    const isLast = !this.#connections.size || !connection.live;
    if (this.entered && !this.unsupported && isLast && !connection.isFollowed) {
      this.#again(error?.retryAfterMs ?? 0);
    }
    this.#events.changed();
  }

  /** False: the waits are spent. */
  #again(retryAfterMs: number): boolean {
    const wait = numberOf((this.#events.document.realtime?.retryMs ?? RETRY_MS)[this.#failures]);
    this.#failures += 1;
    if (wait) return this.#retry(Math.max(LEAST_RETRY_MS, wait * (0.8 + 0.4 * this.#parts.random()), retryAfterMs));
    if (!this.live) this.#rest('failed', Math.max(this.#fallbackMs(), retryAfterMs));
    return false;
  }

  #fallbackMs(): number {
    return Math.max(LEAST_RETRY_MS, numberOf(this.#events.document.realtime?.fallbackMs) ?? FALLBACK_MS);
  }

  #rest(why: 'failed' | 'tabs', ms: number): void {
    this.resting = why;
    this.#timers.set('rest', ms, () => {
      this.wake();
      this.#events.changed();
    });
    this.#events.changed();
  }

  /** Ends all, the wait for the next try too. */
  end(): void {
    this.leave();
    this.wake();
    this.#timers.clear('ack');
  }

  async #askToken(): Promise<Given> {
    const { flag, stream, attributes } = this.#options;
    const revision = this.#events.revision;
    const url = this.#parts.http.url(this.#events.document.realtime?.tokenUrl, '/v1/token');
    const { json } = await this.#parts.http.ask(url, {
      headers: revision ? { 'Turnout-Flag-Revision': revision } : {},
      body: { flag, stream, ...(attributes ? { attributes: attributes() } : {}) },
      signal: this.#events.signal,
    });
    return (json ?? {}) as Given;
  }

  /** Tells the server which position this client holds; the newest of several within half a second, of an open stream. */
  #acknowledge(connection: Connection, ackId: string, position: string): void {
    const url = this.#parts.http.url(this.#events.document.watch.ackUrl, '/v1/watch/ack');
    this.#timers.set('ack', this.#parts.random() * ACK_SPREAD_MS, () => {
      const { signal } = connection.ending;
      if (signal.aborted) return;
      const asked = this.#parts.http.ask(url, { body: { ackId, position }, signal });
      this.#parts.track(asked.catch(() => {}));
    });
  }

  #close(connection: Connection): void {
    this.#parts.position.close(connection.generation);
    this.#connections.delete(connection);
    connection.ending.abort();
  }
}
