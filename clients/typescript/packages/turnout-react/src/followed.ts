import {
  type ClientOptions,
  createTurnoutClient,
  type Snapshot,
  type StreamEvent,
  type TurnoutClient,
} from 'turnout-client';
import { notice } from './notice.js';

const MOST_KEPT = 1000;

/** What all clients below a provider share. Another `identityKey` is another user: nothing of the last one is kept. */
export type ProviderOptions = Omit<ClientOptions, 'flag' | 'stream'> & { readonly identityKey?: string };

/** What a client does, and what it may be asked. */
export interface StrategyState extends Snapshot {
  /** Asks again, now. */
  refresh(): void;
  /** The user pressed "report a problem": a report says so, soon. */
  complain(): void;
}

/** What hooks show: the same object as long as nothing changed. */
export interface State {
  readonly snapshot: StrategyState;
  readonly events: readonly StreamEvent[];
}

/** A client, and the newest events it delivered, for all hooks that follow the same stream. */
export class Followed {
  readonly client: TurnoutClient;
  readonly first: State;
  /** Hooks showed it, and none does any more. */
  isLeft = false;
  #state: State;
  readonly #watchers = new Set<() => void>();

  constructor(options: ProviderOptions, flag: string, stream: string | null) {
    const { initialStrategy, ...rest } = options;
    const own = initialStrategy?.flag === flag ? { initialStrategy } : {};
    this.client = createTurnoutClient({ ...rest, ...own, flag, stream });
    this.first = this.#state = { snapshot: this.#snapshot(), events: [] };
    this.client.subscribe(() => this.#change({ snapshot: this.#snapshot(), events: this.#state.events }));
    this.client.on('events', (events) =>
      this.#change({ ...this.#state, events: [...this.#state.events, ...events].slice(-MOST_KEPT) }),
    );
    this.client.on('reset', () => this.#change({ ...this.#state, events: [] }));
    // Bundlers replace the whole expression; where nothing does, it is not development.
    try {
      if (process.env.NODE_ENV === 'development') notice(this.client, flag, stream);
    } catch {}
  }

  readonly getState = (): State => this.#state;
  readonly getFirst = (): State => this.first;

  /** The client runs while there is a subscriber. */
  readonly subscribe = (onChange: () => void): (() => void) => {
    this.#watchers.add(onChange);
    this.isLeft = false;
    const release = this.client.acquire();
    return () => {
      this.#watchers.delete(onChange);
      this.isLeft = this.#watchers.size === 0;
      release();
    };
  };

  #snapshot(): StrategyState {
    const { refresh, complain } = this.client;
    return { ...this.client.getSnapshot(), refresh, complain };
  }

  #change(state: State): void {
    this.#state = state;
    for (const watcher of [...this.#watchers]) watcher();
  }
}

declare const process: { env: { NODE_ENV?: string } };
