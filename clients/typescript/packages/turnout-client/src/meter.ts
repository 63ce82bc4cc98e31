import type { Http } from './http.js';
import type { Position } from './position.js';
import type { ClientOptions, Mode, StrategyDocument, TurnoutClient } from './types.js';
import type { components } from './wire.js';

/** A part of a report with all its numbers; without a document there is no strategy. */
export type FlagReport = Whole<Omit<components['schemas']['FlagReport'], 'strategy'>> &
  Pick<components['schemas']['FlagReport'], 'strategy'>;
type Whole<T> = T extends object ? { [Name in keyof T]-?: Whole<NonNullable<T[Name]>> } : T;
type Switch = components['schemas']['Switch'];
type Kind = 'polls' | 'latencies' | 'connections' | 'refreshes' | 'resets';

/** The longest window a server takes. */
export const MAX_WINDOW_MS = 120_000;
export const MAX_SWITCHES = 32;
/** The most that a server takes of anything for each minute that was begun, and of copies in all. */
const A_MINUTE = 60;
const MAX_COPIES = 10_000;
/** The upper bounds of the ranges; the last range has none. */
const INTERVALS_MS = [1000, 2500, 5000, 7500, 10_000, 15_000, 20_000, 30_000, 60_000];
const LATENCIES_MS = [100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];
/** Reasons of a snapshot that a report names; the others are the server's words for a strategy. */
const REASONS: readonly string[] = ['tabs', 'unsupported', 'unknown-kind', 'unreachable'];

/** What a client hands to the reports of its tab. */
export interface Reported {
  readonly client: TurnoutClient<never>;
  readonly options: ClientOptions<never>;
  readonly http: Http;
  readonly position: Position;
  /** Says where to report, and how often. */
  readonly document: StrategyDocument;
}

/** A tab since its last report: how much of anything it may still say. */
export class Window {
  readonly #totals: Partial<Record<Kind | 'copies', number>> = {};

  constructor(readonly begunAt: number) {}

  lengthMs(now: number): number {
    return Math.max(0, Math.min(Math.ceil(now - this.begunAt), MAX_WINDOW_MS));
  }

  may(kind: Kind, now: number): boolean {
    const most = (Math.floor(this.lengthMs(now) / 60_000) + 1) * A_MINUTE;
    return this.copies(kind, 1, most) > 0;
  }

  /** How many of these it may still say. */
  copies(kind: Kind | 'copies', count: number, most = MAX_COPIES): number {
    const before = this.#totals[kind] ?? 0;
    const taken = Math.min(count, most - before);
    this.#totals[kind] = before + taken;
    return taken;
  }
}

/** Follows one client, and counts what it does. */
export class Meter {
  /** The user complained, and no report has said so. */
  complains = false;
  #counts: FlagReport;
  #happened = false;
  #mode: Mode;
  #liveSince: number | null = null;
  #lastPoll: number | null = null;
  #replays = false;
  readonly #undo: (() => void)[];

  readonly #window: () => Window;

  constructor(
    readonly reported: Reported,
    window: () => Window,
  ) {
    this.#window = window;
    const { client, options } = reported;
    this.#mode = client.getSnapshot().mode;
    this.#counts = nothing(options.flag, this.#mode);
    if (this.#mode === 'live') this.#liveSince = this.#now();
    this.#undo = [
      this.#followPolls(),
      this.#followCopies(),
      client.on('switch', ({ from, to, reason }) => this.#switched(from, to, reason)),
      client.on('reset', () => {
        this.#replays = true;
        this.#count('resets', (counts) => counts.resets++);
      }),
      client.on('events', (events) => this.#delivered(events)),
    ];
  }

  /** What happened, and a new beginning; null if nothing did. */
  take(): FlagReport | null {
    this.#ceaseLive();
    const { strategy, mode } = this.reported.client.getSnapshot();
    if (mode === 'live') this.#liveSince = this.#now();
    const counts = { ...this.#counts, ...(strategy ? { strategy } : {}), mode: this.#mode, complaint: this.complains };
    const happened = this.#happened || this.complains;
    this.#counts = nothing(counts.flag, this.#mode);
    this.#happened = false;
    this.complains = false;
    return happened ? counts : null;
  }

  leave(): void {
    for (const undo of this.#undo) undo();
  }

  #now(): number {
    return this.reported.http.clock.now();
  }

  #count(kind: Kind, add: (counts: FlagReport) => void): void {
    this.#happened = true;
    if (this.#window().may(kind, this.#now())) add(this.#counts);
  }

  #ceaseLive(): void {
    if (this.#liveSince === null) return;
    this.#happened = true;
    const { realtime } = this.#counts;
    const since = Math.max(this.#liveSince, this.#window().begunAt);
    realtime.liveMs = Math.min(MAX_WINDOW_MS, realtime.liveMs + Math.max(0, Math.floor(this.#now() - since)));
    this.#liveSince = null;
  }

  #switched(from: Mode, to: Mode, why: string): void {
    this.#ceaseLive();
    if (to === 'live') {
      this.#liveSince = this.#now();
      this.#count('connections', ({ realtime }) => realtime.connects++);
    }
    // A client that was stopped did what it did before.
    if (to === 'stopped') return;
    this.#mode = to;
    if (from === 'stopped' || from === 'idle' || this.#counts.switches.length >= MAX_SWITCHES) return;
    const lost = to === 'degraded' || (from === 'live' && to === 'connecting');
    const reason = REASONS.includes(why) ? why : lost ? 'unreachable' : 'strategy';
    this.#counts.switches.push({ from, to, reason: reason as Switch['reason'] });
  }

  /** One latency a delivery: that of the event which waited longest. What is caught up on waited for the client. */
  #delivered(events: readonly { at: string }[]): void {
    const replays = this.#replays;
    this.#replays = false;
    const { skewMs } = this.reported.http;
    if (replays || skewMs === null || !this.reported.client.getSnapshot().upToDate) return;
    const now = this.#now() + skewMs;
    const oldest = Math.min(...events.map(({ at }) => Date.parse(at)));
    if (Number.isFinite(oldest))
      this.#count('latencies', (counts) => add(counts.latencyMs, LATENCIES_MS, now - oldest));
  }

  /** What is asked passes here. Only a poll may be held, and only a token is asked for with a stream. */
  #followPolls(): () => void {
    const { http } = this.reported;
    const ask = http.ask;
    http.failed = () => this.#count('connections', ({ realtime }) => realtime.failures++);
    http.ask = async (url, init) => {
      const began = this.#now();
      const isPoll = init.holdMs !== undefined;
      try {
        const answer = await ask.call(http, url, init);
        const { events } = (answer.json ?? {}) as { events?: unknown[] };
        if (isPoll) this.#polled(began, events?.length ? ['success'] : ['success', 'empty']);
        return answer;
      } catch (error) {
        const { status } = error as { status?: number };
        if (init.signal.aborted) throw error;
        if (isPoll) this.#polled(began, [status === 429 ? 'limited' : 'error']);
        if ((init.body as { stream?: unknown } | undefined)?.stream)
          this.#count('refreshes', (counts) => counts.refreshFailures++);
        throw error;
      }
    };
    return () => {
      http.ask = ask;
      http.failed = undefined;
    };
  }

  #polled(began: number, outcomes: ('success' | 'error' | 'empty' | 'limited')[]): void {
    const last = this.#lastPoll;
    this.#lastPoll = began;
    this.#count('polls', ({ poll, intervalMs }) => {
      for (const outcome of outcomes) poll[outcome] += 1;
      if (last !== null) add(intervalMs, INTERVALS_MS, began - last);
    });
  }

  /** A batch is taken here, without the copies in it. */
  #followCopies(): () => void {
    const { position } = this.reported;
    const commit = position.commit;
    position.commit = (generation, from, batch) => {
      const fresh = commit.call(position, generation, from, batch);
      if (fresh) this.#counts.dedupDrops += this.#window().copies('copies', batch.events.length - fresh.length);
      return fresh;
    };
    return () => {
      position.commit = commit;
    };
  }
}

/** The report of a client that did nothing. */
function nothing(flag: string, mode: Mode): FlagReport {
  const ranges = (bounds: number[]) => ({ buckets: [0, ...bounds.map(() => 0)], sumMs: 0 });
  return {
    flag,
    mode,
    poll: { success: 0, error: 0, empty: 0, limited: 0 },
    intervalMs: ranges(INTERVALS_MS),
    latencyMs: ranges(LATENCIES_MS),
    realtime: { connects: 0, failures: 0, liveMs: 0 },
    switches: [],
    refreshFailures: 0,
    dedupDrops: 0,
    resets: 0,
    complaint: false,
  };
}

/** Adds a value to its range; the sum counts it as the last bound at most. */
function add(ranges: { buckets: number[]; sumMs: number }, bounds: readonly number[], ms: number): void {
  const value = Math.max(0, Math.round(ms));
  const found = bounds.findIndex((bound) => value <= bound);
  const place = found < 0 ? bounds.length : found;
  ranges.buckets[place] = (ranges.buckets[place] ?? 0) + 1;
  ranges.sumMs += Math.min(value, bounds[bounds.length - 1] ?? 0);
}
