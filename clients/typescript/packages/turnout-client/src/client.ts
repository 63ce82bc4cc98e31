import { TurnoutError } from './error.js';
import type { Reported } from './meter.js';
import type { Reporting } from './report.js';
import { Supervisor } from './supervisor.js';
import type { ClientEvents, ClientOptions, Snapshot, StreamEvent, TurnoutClient } from './types.js';

/** What listeners hear, and those who watch the snapshot. */
interface Told<T> extends ClientEvents<T> {
  snapshot: Snapshot;
}

/** A client of one stream. It asks nothing before it is started or acquired. */
export function createTurnoutClient<T = unknown>(options: ClientOptions<T>): TurnoutClient<T> {
  const listeners: { [K in keyof Told<T>]?: Set<(event: Told<T>[K]) => void> } = {};
  const holders = new Set<object>();
  let reporting: Promise<Reporting | undefined> | undefined;
  let running = false;
  let user: string | undefined;
  let supervisor = begin({});
  let snapshot = supervisor.snapshot();

  function listen<K extends keyof Told<T>>(name: K, listener: (event: Told<T>[K]) => void): () => void {
    const all: Set<typeof listener> = (listeners[name] ??= new Set() as never);
    all.add(listener);
    return () => void all.delete(listener);
  }

  /** A listener that throws stops nothing; what it threw is reported as any uncaught error is. */
  function tell<K extends keyof Told<T>>(name: K, event: Told<T>[K]): void {
    for (const listener of [...(listeners[name] ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  function parsed(events: readonly StreamEvent[]): StreamEvent<T>[] {
    const { parse } = options;
    if (!parse) return events as StreamEvent<T>[];
    return events.flatMap((event) => {
      try {
        return [{ ...event, data: parse(event.data) }];
      } catch {
        tell('error', new TurnoutError('bad-data', '`parse` refused an event; it is left out'));
        return [];
      }
    });
  }

  /** Who is followed for, as the application says. */
  function identity(): string | undefined {
    const { identityKey } = options;
    return typeof identityKey === 'function' ? identityKey() : identityKey;
  }

  /** Whether the user is another than before. Then nothing of the last one is kept, reported or told. */
  function changed(): boolean {
    if (identity() === user) return false;
    const last = supervisor;
    const left = reporting;
    reporting = undefined;
    const { initialCursor } = options;
    supervisor = begin({
      initialStrategy: undefined,
      initialCursor: initialCursor === 'now' ? initialCursor : undefined,
    });
    void last.stop();
    void left?.then((joined) => joined?.leave());
    show(supervisor.snapshot());
    tell('reset', { cursor: null });
    if (running) supervisor.start();
    return true;
  }

  /** What follows for the user of now, and asks nothing once it is another. */
  function begin(given: object): Supervisor {
    user = identity();
    const own = {
      ...options,
      ...given,
      auth: async () => {
        if (supervisor !== mine || changed()) throw new Error();
        try {
          return await options.auth?.();
        } catch {
          throw new TurnoutError('no-session', '`auth` gave no session; it is asked again');
        }
      },
    };
    const mine: Supervisor = new Supervisor(own as unknown as ClientOptions<never>, {
      delivered: (events) => {
        const good = parsed(events);
        if (good.length > 0) tell('events', good);
      },
      reset: (cursor) => tell('reset', { cursor }),
      failed: (error) => supervisor === mine && tell('error', error),
      snapshot: (next) => supervisor === mine && show(next),
      // It is loaded when it is first needed, and where it cannot be, nothing is reported.
      reportable: (http, position, document) => {
        if (options.report === false) return;
        reporting ??= import('./report.js')
          .then(({ report }) => report({ client, options: own, http, position, document } as unknown as Reported))
          .catch(() => undefined);
      },
    });
    return mine;
  }

  function show(next: Snapshot): void {
    const before = snapshot;
    if (sameMembers(before, next)) return;
    snapshot = next;
    if (before.mode !== next.mode) tell('switch', { from: before.mode, to: next.mode, reason: next.reason });
    tell('snapshot', next);
  }

  /** It runs while it is held; one that was started holds itself. */
  function hold(holder: object): void {
    holders.add(holder);
    running = true;
    supervisor.start();
  }

  const client: TurnoutClient<T> = {
    start: () => hold(client),
    async stop() {
      running = false;
      holders.delete(client);
      const left = reporting;
      reporting = undefined;
      await supervisor.stop();
      await (await left)?.leave();
    },
    acquire() {
      const holder = {};
      hold(holder);
      // React's StrictMode releases and acquires within one task.
      return () => void (holders.delete(holder) && setTimeout(() => holders.size || client.stop()));
    },
    getSnapshot: () => snapshot,
    subscribe: (onChange) => listen('snapshot', () => onChange()),
    on: listen,
    events: (asked = {}) => iterate(client, asked.signal),
    refresh: () => void (changed() || supervisor.refresh()),
    complain: () => void reporting?.then((joined) => joined?.complain()),
  };
  return client;
}

async function* iterate<T>(client: TurnoutClient<T>, signal?: AbortSignal): AsyncGenerator<StreamEvent<T>> {
  const queue: StreamEvent<T>[] = [];
  let wake = () => {};
  const onChange = () => wake();
  const undo = [
    client.on('events', (events) => {
      queue.push(...events);
      wake();
    }),
    client.subscribe(onChange),
    client.acquire(),
  ];
  signal?.addEventListener('abort', onChange);
  try {
    while (!signal?.aborted) {
      const event = queue.shift();
      if (event) {
        yield event;
        continue;
      }
      const { mode } = client.getSnapshot();
      if (mode === 'ended' || mode === 'stopped') return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal?.removeEventListener('abort', onChange);
    for (const each of undo) each();
  }
}

function sameMembers(a: Snapshot, b: Snapshot): boolean {
  return (Object.keys(b) as (keyof Snapshot)[]).every((key) => a[key] === b[key]);
}
