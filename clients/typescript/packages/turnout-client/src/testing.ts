import { defaultDocument } from './defaults.js';
import { systemClock } from './supervisor.js';
import type { Clock, StrategyDocument } from './types.js';

/** What a test may do to a request: answer it, or let it pass by returning nothing. */
export type Fault = (request: {
  path: string;
  method: string;
}) => Response | Promise<Response | undefined> | Error | undefined;

/** A request the fake server saw. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  readonly at: number;
}

/** A Turnout in memory, for tests: one stream, spoken to by `fetch`. */
export interface FakeTurnout {
  readonly fetch: typeof fetch;
  readonly seen: Seen[];
  fault: Fault;
  /** Members of the document to answer with; a new revision. */
  decide(members: Partial<StrategyDocument>): void;
  publish(...ids: string[]): void;
  /** A new epoch: earlier cursors are answered with `stream-reset`. */
  restart(): void;
  /** Ends the open realtime streams without a word. */
  cut(): void;
  /** Sends a message to the open realtime streams. */
  send(message: Record<string, unknown>): void;
  /** How many realtime streams are open. */
  readonly open: number;
  /** How many polls are held. */
  readonly held: number;
}

export function createFakeTurnout(options: { clock?: Clock; limit?: number } = {}): FakeTurnout {
  const clock = options.clock ?? systemClock;
  const now = () => clock.now();
  const held = new Set<() => void>();
  const streams = new Set<(message: Record<string, unknown> | null, id?: string) => void>();
  const events: { id: string; type: string; at: string; data: unknown }[] = [];
  let epoch = 1;
  let revision = 1;
  let tokens = 0;
  let document: StrategyDocument = { ...defaultDocument('build'), reason: 'STATIC', rule: 'default', enterSpreadMs: 0 };
  const cursorAt = (index: number) => `${epoch}.${index}`;
  const etag = () => `"d${revision}"`;
  const page = (from: number, limit: number) => {
    const taken = events.slice(from, from + limit);
    return {
      events: taken.map((event, n) => ({ ...event, cursor: cursorAt(from + n + 1) })),
      cursor: cursorAt(from + taken.length),
      hasMore: from + taken.length < events.length,
    };
  };
  const strategy = (ackId?: string) => ({
    type: 'strategy',
    document,
    etag: etag(),
    position: String(revision),
    ackId,
  });
  const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
    new Response(body === null ? null : JSON.stringify(body), {
      status,
      headers: { 'Turnout-Flag-Revision': String(revision), 'Turnout-Time': String(now()), ...headers },
    });

  /** The index behind the cursor, or the refusal. */
  function placeOf(url: URL): number | Response {
    const cursor = url.searchParams.get('cursor');
    if (!cursor) return 0;
    if (cursor === 'now') return events.length;
    const [of, index] = cursor.split('.').map(Number);
    if (of !== epoch)
      return answer(409, { title: '', status: 409, code: 'stream-reset', detail: '', cursor: cursorAt(0) });
    return index ?? 0;
  }

  function realtime(url: URL, signal: AbortSignal | null | undefined): Response {
    if (document.strategy !== 'realtime-v2') return answer(403, { code: 'not-realtime' });
    const place = placeOf(url);
    if (typeof place !== 'number') return place;
    let sent = place;
    let send: (message: Record<string, unknown> | null) => void = () => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const write = (text: string) => controller.enqueue(new TextEncoder().encode(text));
        const drain = () => {
          while (sent < events.length) {
            const batch = page(sent, 100);
            sent += batch.events.length;
            write(`id: ${batch.cursor}\ndata: ${JSON.stringify({ type: 'events', ...batch })}\n\n`);
          }
        };
        send = (message) => {
          if (message === null) {
            streams.delete(send);
            controller.close();
          } else if (message.type === 'drain') drain();
          else write(`data: ${JSON.stringify(message)}\n\n`);
        };
        streams.add(send);
        write(': open\n\n');
        send({ ...strategy('ack'), heartbeatMs: 15_000 });
        drain();
        send({ type: 'up-to-date' });
        signal?.addEventListener('abort', () => {
          if (!streams.delete(send)) return;
          controller.error(new DOMException('aborted', 'AbortError'));
        });
      },
    });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  }

  /** Until there is an event, or the time is over. */
  function hold(ms: number, signal: AbortSignal | null | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (how: () => void) => () => {
        held.delete(found);
        clock.clearTimeout(timer);
        how();
      };
      const found = end(resolve);
      const timer = clock.setTimeout(found, ms);
      held.add(found);
      signal?.addEventListener(
        'abort',
        end(() => reject(signal.reason)),
      );
    });
  }

  function serve(
    method: string,
    url: URL,
    headers: Headers,
    signal: AbortSignal | null | undefined,
  ): Response | Promise<Response> {
    const [, , kind] = url.pathname.split('/');
    if (kind === 'strategy') {
      return headers.get('If-None-Match') === etag() ? answer(304, null) : answer(200, document, { ETag: etag() });
    }
    if (kind === 'token') {
      if (document.strategy !== 'realtime-v2') return answer(403, { code: 'not-realtime' });
      tokens += 1;
      return answer(200, {
        token: `token-${tokens}`,
        tokenType: 'Bearer',
        expiresInMs: 600_000,
        refreshAfterMs: 450_000,
      });
    }
    if (kind === 'realtime') return realtime(url, signal);
    if (kind === 'feeds' && method === 'GET') {
      const place = placeOf(url);
      if (typeof place !== 'number') return place;
      const limit = Number(url.searchParams.get('limit') ?? 50);
      const tag = `"f${epoch}.${place}.${events.length}"`;
      const wait = Number(url.searchParams.get('wait') ?? 0);
      if (wait > 0 && place === events.length)
        return hold(wait, signal).then(() => serve(method, withoutWait(url), headers, signal));
      if (headers.get('If-None-Match') === tag) return answer(304, null);
      return answer(200, page(place, Math.min(limit, options.limit ?? 1000)), { ETag: tag });
    }
    return answer(204, null);
  }

  const fake: FakeTurnout = {
    seen: [],
    fault: () => undefined,
    get open() {
      return streams.size;
    },
    get held() {
      return held.size;
    },
    async fetch(input, init) {
      const url = new URL(String(input));
      const method = init?.method ?? 'GET';
      const headers = new Headers(init?.headers);
      fake.seen.push({ method, path: url.pathname, url: url.href, headers, body: String(init?.body ?? ''), at: now() });
      init?.signal?.throwIfAborted();
      const fault = await fake.fault({ path: url.pathname, method });
      if (fault instanceof Error) throw fault;
      return fault ?? serve(method, url, headers, init?.signal);
    },
    decide(members) {
      revision += 1;
      document = { ...document, ...members };
      if (members.strategy === 'realtime-v2' && !document.realtime) {
        document.realtime = {
          kind: 'sse',
          tokenUrl: '/v1/token',
          tokenTtlMs: 600_000,
          retryMs: [2000, 4000, 8000, 16_000, 32_000],
          connectMs: 10_000,
          fallbackMs: 300_000,
        };
      }
      for (const send of [...streams]) {
        send(strategy());
        if (document.strategy !== 'realtime-v2') send(null);
      }
    },
    publish(...ids) {
      for (const id of ids) events.push({ id, type: 'step', at: new Date(now()).toISOString(), data: { id } });
      for (const send of [...streams]) send({ type: 'drain' });
      for (const answer of [...held]) answer();
    },
    restart() {
      epoch += 1;
      for (const send of [...streams]) send({ type: 'reset', cursor: cursorAt(0), reason: 'epoch' });
    },
    cut() {
      for (const send of [...streams]) send(null);
    },
    send(message) {
      for (const send of [...streams]) send(message);
    },
  };
  return fake;
}

function withoutWait(url: URL): URL {
  const asked = new URL(url);
  asked.searchParams.delete('wait');
  return asked;
}
