import type { TurnoutError } from './error.js';
import type { components } from './wire.js';

/** What a client goes by. Members that a later server adds are ignored. */
export type StrategyDocument = components['schemas']['StrategyDocument'];

/** The transport that Turnout chose. */
export type Strategy = components['schemas']['Strategy'];

/** What the client does now. `degraded`: it polls because realtime failed; it tries again by itself. */
export type Mode =
  | 'idle'
  | 'polling'
  | 'connecting'
  | 'live'
  | 'degraded'
  | 'disabled'
  | 'unauthenticated'
  | 'ended'
  | 'stopped';

/** A place in a stream. Keep it, hand it back; its characters mean nothing. */
export type Cursor = string & { readonly __cursor: unique symbol };

export interface StreamEvent<T = unknown> {
  readonly id: string;
  readonly cursor: Cursor;
  readonly type: string;
  readonly at: string;
  readonly data: T;
}

/** Events that are taken whole or not at all, and the place behind them. */
export interface Batch {
  readonly events: readonly StreamEvent[];
  readonly cursor: Cursor;
  readonly hasMore: boolean;
  readonly ended?: boolean;
}

/** What a component shows. The same object as long as nothing changed. */
export interface Snapshot {
  readonly mode: Mode;
  readonly strategy: Strategy | null;
  /**
   * Why: the server's reason, or `tabs`, `unsupported`, `unknown-kind`. Before the server answered: `asking`, then the code of what failed,
   * like `unreachable`, or `no-session` if `auth` gave none.
   */
  readonly reason: string;
  readonly cursor: Cursor | null;
  /** All that the server had at the last answer is here. */
  readonly upToDate: boolean;
  /** It polls because realtime is wanted and not live. */
  readonly bridging: boolean;
  /** The wait before the next poll. */
  readonly intervalMs: number;
  readonly error: TurnoutError | null;
}

export interface SwitchInfo {
  readonly from: Mode;
  readonly to: Mode;
  readonly reason: string;
}

export interface ClientEvents<T> {
  events: readonly StreamEvent<T>[];
  /** The stream began anew, events fell out of it, or the user is another: forget what you hold, what is there follows. */
  reset: { readonly cursor: Cursor | null };
  switch: SwitchInfo;
  error: TurnoutError;
}

export interface Clock {
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export interface ClientOptions<T = unknown> {
  /** Where Turnout answers, with the path a proxy serves it under. */
  readonly baseUrl: string | URL;
  readonly flag: string;
  /** Null: the strategy is followed, and no events. */
  readonly stream: string | null;
  /** The session token; asked at every request, so that it may change. One that throws is `no-session`, and asked again. */
  readonly auth?: () => string | undefined | Promise<string | undefined>;
  /**
   * Who is signed in; a function is asked at every request and `refresh()`. Once it is another, events, place, strategy and token of the
   * last user are dropped before anything is asked, and `reset` is told.
   */
  readonly identityKey?: string | (() => string | undefined);
  /** What the strategy may depend on, besides who asks. */
  readonly attributes?: () => Record<string, unknown>;
  /** Origins besides that of `baseUrl` to which credentials may go. */
  readonly trustedOrigins?: readonly string[];
  /** A document of this user that a server asked for, so that the first render knows it. */
  readonly initialStrategy?: StrategyDocument;
  readonly initialCursor?: Cursor | 'start' | 'now';
  /** For tests and debugging: what the server says is not asked. */
  readonly force?: Strategy;
  /** `pause` (the default) asks nothing while the page is hidden; `run` goes on. */
  readonly hidden?: 'pause' | 'run';
  /** How many ids are remembered, to drop what is sent twice; 1000 unless said. */
  readonly dedupeWindow?: number;
  /** Further kinds of realtime transports, by the document's `realtime.kind`. */
  readonly transports?: Readonly<Record<string, Transport>>;
  /** Checks `data`. If it throws, the event is left out, `error` is told, and the stream goes on. */
  readonly parse?: (data: unknown) => T;
  /** `false`: how following goes is not reported. */
  readonly report?: boolean;
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** A client of one stream. */
export interface TurnoutClient<T = unknown> {
  start(): void;
  /** When it resolves, there is no timer, no listener and no open request. */
  stop(): Promise<void>;
  /** Starts it; the returned function releases it. It stops one task after the last release. */
  acquire(): () => void;
  getSnapshot(): Snapshot;
  subscribe(onChange: () => void): () => void;
  on<K extends keyof ClientEvents<T>>(name: K, listener: (event: ClientEvents<T>[K]) => void): () => void;
  events(options?: { signal?: AbortSignal }): AsyncIterable<StreamEvent<T>>;
  /** Asks for the strategy, and polls, now. */
  refresh(): void;
  /** The user pressed "report a problem": a report says so, soon. */
  complain(): void;
}

/** What a realtime transport gets. It ends, by resolving or rejecting, when its connection is over. */
export interface TransportContext {
  readonly document: StrategyDocument;
  readonly url: URL;
  readonly cursor: Cursor | null;
  readonly signal: AbortSignal;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  token(force?: boolean): Promise<string>;
  /** An error to end with; `unsupported` as its code: this platform cannot, and polls. */
  error(code: string, message: string): TurnoutError;
  /** An error of an answer that refuses, with what it says of when to ask again, and from where. */
  refusal(answer: Response): Promise<TurnoutError>;
  /** All that there was has been pushed. */
  live(): void;
  /** Throws if it is no batch. False: this transport was switched off, and nothing was taken. */
  push(batch: unknown): boolean;
  /** The stream begins anew at `cursor`. Ends this transport, by `signal`, if another one has moved the place. */
  reset(cursor: Cursor): void;
  /** The connection ends soon: the next one is opened first, this long from now. */
  goodbye(reason: string, afterMs: number): void;
  /** The user's document, as the server now sees it, and its position. */
  strategy(document: StrategyDocument, etag: string, position: string, ackId?: string): void;
  /** A sign of life that names the tag and the position the server holds. */
  heartbeat(etag: string, position: string): void;
}

export type Transport = (context: TransportContext) => Promise<void>;
