import type { TurnoutError } from './error.js';
import type { Http } from './http.js';
import type { Generation, Position } from './position.js';
import { serverSentEvents } from './realtime.js';
import type { Slot } from './slots.js';
import type { Start } from './start.js';
import type { Timers } from './timers.js';
import { type Given, TokenSource } from './token.js';
import type {
  ClientOptions,
  Clock,
  Cursor,
  StrategyDocument,
  StreamEvent,
  Transport,
  TransportContext,
} from './types.js';

const STEADY_MS = 10_000;
const FALLBACK_MS = 300_000;
const NO_PLACE_MS = 15_000;
const ACK_SPREAD_MS = 500;
const RETRY_MS = [2000, 4000, 8000, 16_000, 32_000];

/** What the runner tells the supervisor. */
export interface RunnerEvents {
  document(): StrategyDocument;
  delivered(events: readonly StreamEvent[], upToDate: boolean): void;
  reset(cursor: Cursor): void;
  strategy(document: StrategyDocument, etag: string, position: string): void;
  heartbeat(etag: string): void;
  /** The position of the flag that the document is of. */
  revision(): string | null;
  /** Aborted when the client stops. */
  signal(): AbortSignal;
  refused(): void;
  ended(): void;
  failed(error: TurnoutError): void;
  changed(): void;
}

interface Connection {
  readonly generation: Generation;
  readonly ending: AbortController;
  live: boolean;
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
  readonly #http: Http;
  readonly #position: Position;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #options: ClientOptions<never>;
  readonly #first: 'now' | null;
  readonly #events: RunnerEvents;
  readonly #track: (task: Promise<unknown>) => void;
  readonly #timers: Timers;
  readonly #start: Start;
  readonly #error: TransportContext['error'];

  constructor(
    http: Http,
    position: Position,
    clock: Clock,
    random: () => number,
    options: ClientOptions<never>,
    first: 'now' | null,
    events: RunnerEvents,
    track: (task: Promise<unknown>) => void,
    timers: Timers,
    start: Start,
  ) {
    this.#http = http;
    this.#position = position;
    this.#clock = clock;
    this.#timers = timers;
    this.#start = start;
    this.#error = (code, message) => new start.TurnoutError(code, message);
    this.#random = random;
    this.#options = options;
    this.#first = first;
    this.#events = events;
    this.#track = track;
    this.#tokens = new TokenSource(() => this.#askToken(), clock, this.#error);
  }

  transport(): Transport | undefined {
    const kind = this.#events.document().realtime?.kind ?? '';
    const own = this.#options.transports ?? {};
    return Object.hasOwn(own, kind) ? own[kind] : kind === 'sse' ? serverSentEvents : undefined;
  }

  enter(delayMs: number): void {
    this.entered = true;
    this.#turn += 1;
    this.#retry(delayMs);
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

  #retry(delayMs: number): void {
    this.#timers.set('retry', delayMs, () => this.#track(this.#connect()));
  }

  async #connect(): Promise<void> {
    const turn = this.#turn;
    const transport = this.transport();
    const url = this.#http.url(
      this.#events.document().realtime?.url,
      `/v1/realtime/${encodeURIComponent(this.#options.flag)}/{stream}`,
    );
    if (!transport || !this.#http.trusts(url)) return;
    const slot = this.#slot ?? (await this.#start.takeSlot(url.origin));
    if (turn !== this.#turn) {
      if (slot !== this.#slot) slot?.release();
      return;
    }
    if (!slot) return this.#rest('tabs', NO_PLACE_MS);
    this.#slot = slot;
    const connection: Connection = { generation: this.#position.open(), ending: new AbortController(), live: false };
    this.#connections.add(connection);
    let from = this.#position.cursor;
    let ackId: string | undefined;
    const on = () => this.#position.isOpen(connection.generation);
    let error: TurnoutError | null = null;
    try {
      await transport({
        document: this.#events.document(),
        url,
        cursor: from ?? this.#first,
        signal: connection.ending.signal,
        fetch: this.#http.fetch,
        clock: this.#clock,
        token: (force) => this.#tokens.get(force),
        live: () => on() && this.#becomeLive(connection),
        error: this.#error,
        refusal: this.#start.refusal,
        push: (json) => {
          const batch = this.#start.batchOf(json);
          const fresh = this.#position.commit(connection.generation, from, batch);
          if (!fresh) return false;
          from = batch.cursor;
          this.#events.delivered(fresh, connection.live && !batch.hasMore);
          return on();
        },
        reset: (cursor) => {
          if (this.#position.reset(connection.generation, from, cursor)) this.#events.reset(cursor);
          from = cursor;
        },
        goodbye: (reason, afterMs) => {
          if (!on()) return;
          if (reason === 'ended') this.#events.ended();
          else this.#retry(afterMs);
        },
        strategy: (document, etag, position, id) => {
          if (!on()) return;
          ackId = id ?? ackId;
          if (ackId) this.#acknowledge(connection, ackId, position);
          this.#events.strategy(document, etag, position);
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
    if (!on()) return;
    if (error?.cursor && this.#position.reset(connection.generation, from, error.cursor as Cursor)) {
      this.#events.reset(error.cursor as Cursor);
    }
    this.#close(connection);
    this.#over(connection, error);
  }

  #becomeLive(connection: Connection): void {
    if (connection.live) return;
    connection.live = true;
    for (const other of this.#connections) if (other !== connection) this.#close(other);
    this.#timers.clear('retry');
    this.live = true;
    this.resting = null;
    this.#timers.set('steady', STEADY_MS, () => {
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
  #over(connection: Connection, error: TurnoutError | null): void {
    if (connection.live) {
      this.live = false;
      this.#timers.clear('steady', 'refresh');
    }
    if (error?.code === 'unsupported') this.unsupported = true;
    if (error && !this.unsupported) {
      this.#http.failed?.();
      this.#events.failed(error);
    }
    if (error?.status === 403 || error?.status === 204) this.#events.refused();
    if (this.entered && !this.unsupported && this.#connections.size === 0) this.#again(error);
    else if (this.entered && !connection.live) this.#again(error);
    this.#events.changed();
  }

  #again(error: TurnoutError | null): void {
    const waits = this.#events.document().realtime?.retryMs ?? RETRY_MS;
    const wait = waits[this.#failures];
    this.#failures += 1;
    if (wait !== undefined) {
      this.#retry(Math.max(wait * (0.8 + 0.4 * this.#random()), error?.retryAfterMs ?? 0));
      return;
    }
    if (this.live) return;
    const fallback =
      (this.#events.document().realtime as { fallbackMs?: number } | undefined)?.fallbackMs ?? FALLBACK_MS;
    this.#rest('failed', Math.max(fallback, error?.retryAfterMs ?? 0));
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
    const revision = this.#events.revision();
    const url = this.#http.url(
      (this.#events.document().realtime as { tokenUrl?: string } | undefined)?.tokenUrl,
      '/v1/token',
    );
    const { json } = await this.#http.ask(url, {
      method: 'POST',
      headers: revision ? { 'Turnout-Flag-Revision': revision } : {},
      body: { flag, stream, ...(attributes ? { attributes: attributes() } : {}) },
      signal: this.#events.signal(),
    });
    return (json ?? {}) as Given;
  }

  /** Tells the server which position this client holds; the newest of several within half a second, of an open stream. */
  #acknowledge(connection: Connection, ackId: string, position: string): void {
    const url = this.#http.url(this.#events.document().watch.ackUrl || undefined, '/v1/watch/ack');
    this.#timers.set('ack', this.#random() * ACK_SPREAD_MS, () => {
      const { signal } = connection.ending;
      if (signal.aborted) return;
      const asked = this.#http.ask(url, { method: 'POST', body: { ackId, position }, signal });
      this.#track(asked.catch(() => {}));
    });
  }

  #close(connection: Connection): void {
    this.#position.close(connection.generation);
    this.#connections.delete(connection);
    connection.ending.abort();
  }
}
