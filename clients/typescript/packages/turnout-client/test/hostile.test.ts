import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultDocument } from '../src/defaults.js';
import type { Fault, Seen } from '../src/testing.js';
import type { StrategyDocument } from '../src/types.js';
import { advance, ids, listen, setUp } from './support.js';

// What a broken or hostile server, proxy or application does: memory stays bounded, nothing is asked in a loop, and no credential
// leaves its origin.

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const { polling } = defaultDocument('build');
const REALTIME = { kind: 'sse' as const, tokenUrl: '/v1/token', tokenTtlMs: 600_000, connectMs: 10_000 };
const LIVE = { strategy: 'realtime-v2' as const };
const bytes = (text: string) => new TextEncoder().encode(text);
const message = (data: object) => bytes(`data: ${JSON.stringify(data)}\n\n`);
const mostInAMinute = (seen: readonly Seen[]) =>
  Math.max(0, ...seen.map(({ at: from }) => seen.filter(({ at }) => at >= from && at < from + 60_000).length));

describe('nothing is asked in a loop, whatever the numbers say', () => {
  const odd = (value: unknown) => ({
    validForMs: value,
    staleIfErrorMs: value,
    enterSpreadMs: value,
    polling: Object.fromEntries(Object.keys(polling).map((name) => [name, value])),
  });
  const realtime = (retryMs: unknown, fallbackMs: unknown, connectMs: unknown = 10_000) => ({
    ...LIVE,
    realtime: { ...REALTIME, retryMs, fallbackMs, connectMs },
  });
  const table: [string, object, Fault?][] = [
    ...[0, -1, 1, 1e-9, 1e12, 1e308, 'soon', null, [], {}, true].map((value): [string, object] => [
      `every number is ${JSON.stringify(value)}`,
      odd(value),
    ]),
    ['no number is there', { polling: null, report: 7, watch: 'no', validForMs: null }],
    ...[[], [0, 0, 0], Array(5000).fill(0), ['x', {}], 'never', null, { 0: -5 }].flatMap((retryMs) =>
      [0, -1, 1e12, 'x', null].map((fallbackMs): [string, object, Fault] => [
        `retries ${JSON.stringify(retryMs).slice(0, 20)}, then ${fallbackMs}`,
        realtime(retryMs, fallbackMs),
        ({ path }) => (path.includes('/realtime/') ? new Response('{}', { status: 503 }) : undefined),
      ]),
    ),
    ['a stream must be live within no time', realtime([1, 1, 1], 1, 1e-9)],
    ['a stream has for ever to be live', realtime([1, 1, 1], 1, 1e12)],
  ];
  test.each(table)('%s', async (_, members, fault) => {
    const { server, client } = setUp();
    server.publish(...ids(3));
    server.decide({ report: { url: '/v1/reports', everyMs: 0 }, ...members } as Partial<StrategyDocument>);
    if (fault) server.fault = fault;
    client.start();
    await advance(150_000);
    const of = (part: string) => server.seen.filter(({ path }) => path.includes(part));
    for (const part of ['/strategy', '/feeds/', '/realtime/', '/token', '/reports']) {
      expect(mostInAMinute(of(part)), part).toBeLessThanOrEqual(65);
    }
    expect(of('/feeds/').length + server.open).toBeGreaterThan(0);
    await client.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ['Retry-After', { 'Retry-After': '1000000000' }],
    ['Retry-After, negative', { 'Retry-After': '-5' }],
    ['the t of RateLimit', { RateLimit: '"feed";r=0;t=1000000000', 'RateLimit-Policy': '"feed";q=60;w=60' }],
    ['a window without an end', { RateLimit: '"feed";r=0;t=1', 'RateLimit-Policy': '"feed";q=999999;w=999999' }],
  ])('an answer of 429 with %s', async (_, headers) => {
    const { server, client } = setUp();
    server.fault = () => new Response('{}', { status: 429, headers });
    client.start();
    await advance(120_000);
    expect(mostInAMinute(server.seen)).toBeLessThanOrEqual(65);
    await client.stop();
  });

  test('a page that never ends, with an allowance that never does', async () => {
    const { server, client, ids: got } = setUp();
    const page = JSON.stringify({
      events: [{ id: 'a', cursor: 'c', type: 't', at: '', data: 1 }],
      cursor: 'c',
      hasMore: true,
    });
    const headers = { RateLimit: '"feed";r=999999;t=0', 'RateLimit-Policy': '"feed";q=999999;w=60' };
    server.fault = ({ path }) => (path.includes('/feeds/') ? new Response(page, { headers }) : undefined);
    client.start();
    await advance(300_000);
    expect(mostInAMinute(server.seen)).toBeLessThanOrEqual(90);
    expect(got).toEqual(['a']);
    await client.stop();
  });

  test('streams that say goodbye at once, and streams that name another tag a hundred times a second', async () => {
    const { server, client } = setUp();
    server.decide(LIVE);
    let says: object = { type: 'goodbye', reason: 'age', afterMs: 0 };
    server.fault = ({ path }) => {
      if (!path.includes('/realtime/')) return undefined;
      return new Response(
        new ReadableStream({
          start(to) {
            to.enqueue(message({ type: 'up-to-date' }));
            to.enqueue(message(says));
          },
          async pull(to) {
            await new Promise((resolve) => setTimeout(resolve, 10));
            to.enqueue(message(says));
          },
        }),
      );
    };
    client.start();
    await advance(120_000);
    const opened = server.seen.filter(({ path }) => path.includes('/realtime/'));
    expect(mostInAMinute(opened)).toBeLessThanOrEqual(20);
    says = { type: 'heartbeat', etag: '"another"', position: '2' };
    client.refresh();
    await advance(120_000);
    expect(mostInAMinute(server.seen.filter(({ path }) => path.includes('/strategy')))).toBeLessThanOrEqual(62);
    await client.stop();
  });

  test('a flag that changes at every answer', async () => {
    const { server, client } = setUp();
    client.start();
    for (let n = 0; n < 600; n += 1) {
      server.decide(n % 2 ? LIVE : { strategy: 'polling' });
      await advance(200);
    }
    for (const part of ['/strategy', '/feeds/', '/realtime/', '/token']) {
      expect(mostInAMinute(server.seen.filter(({ path }) => path.includes(part))), part).toBeLessThanOrEqual(65);
    }
    await client.stop();
  });
});

describe('memory has bounds', () => {
  test.each([
    ['a page', '/feeds/', 200, LIVE],
    ['a refusal', '/feeds/', 503, LIVE],
    ['a document', '/strategy', 200, LIVE],
    ['a token', '/token', 200, LIVE],
    ['a refused stream', '/realtime/', 503, LIVE],
    ['a stream without a line', '/realtime/', 200, LIVE],
  ])('%s without an end is left', async (_, part, status, members) => {
    const { server, client } = setUp();
    server.decide(members);
    const chunk = bytes(`"${'x'.repeat(99_999)}`);
    let most = 0;
    server.fault = ({ path }) => {
      if (!path.includes(part)) return undefined;
      let sent = 0;
      const endless = new ReadableStream({
        pull(to) {
          sent += chunk.length;
          most = Math.max(most, sent);
          if (sent < 100_000_000) to.enqueue(chunk);
          else to.close();
        },
      });
      return new Response(endless, { status });
    };
    client.start();
    await advance(5000);
    expect(most).toBeGreaterThan(1_000_000);
    expect(most).toBeLessThan(3_000_000);
    await client.stop();
  });

  test('an id or a cursor that is long is no event and no place', async () => {
    for (const odd of [
      { id: 'x'.repeat(5000), cursor: 'c' },
      { id: 7, cursor: 'c' },
      { id: 'a', cursor: 'x'.repeat(5000) },
    ]) {
      const { server, client, ids: got, errors } = setUp();
      const page = JSON.stringify({ events: [odd], cursor: odd.cursor, hasMore: false });
      server.fault = ({ path }) => (path.includes('/feeds/') ? new Response(page) : undefined);
      client.start();
      await advance(100);
      expect(got).toEqual([]);
      expect(errors).toEqual(['bad-answer']);
      expect(client.getSnapshot().cursor).toBe(null);
      await client.stop();
    }
  });
});

describe('what leaves the page', () => {
  test.each([
    ['polls', { polling: { ...polling, url: 'https://evil.example/{stream}' } }],
    ['tokens', { ...LIVE, realtime: { ...REALTIME, tokenUrl: 'https://evil.example/token' } }],
    ['streams', { ...LIVE, realtime: { ...REALTIME, url: 'https://evil.example/{stream}' } }],
    ['acknowledgements', { ...LIVE, watch: { kind: 'sse', url: '', ackUrl: 'https://evil.example/ack' } }],
    ['reports', { report: { url: 'https://evil.example/reports', everyMs: 1000 } }],
    ['a name with another port', { report: { url: 'https://turnout.example:444/reports', everyMs: 1000 } }],
    ['an address without a scheme', { ...LIVE, realtime: { ...REALTIME, url: '//evil.example/{stream}' } }],
    ['an address with a user', { polling: { ...polling, url: 'https://turnout.example@evil.example/' } }],
    ['data', { polling: { ...polling, url: 'data:application/json,{}' } }],
    ['nothing that is an address', { polling: { ...polling, url: 'http://' } }],
  ])('a document that names another origin for %s gets no credential, and nothing of the user', async (_, members) => {
    const sent: { origin: string; init: RequestInit | undefined }[] = [];
    const { server, client } = setUp({ attributes: () => ({ email: 'sentinel@example.com' }) });
    const { fetch } = server;
    const own = setUp({
      attributes: () => ({ email: 'sentinel@example.com' }),
      fetch: (input, init) => {
        sent.push({ origin: new URL(String(input)).origin, init });
        return fetch(input, init);
      },
    });
    await client.stop();
    server.decide(members as Partial<StrategyDocument>);
    own.client.start();
    await advance(90_000);
    await own.client.stop();
    for (const { origin, init } of sent) {
      expect(init).toMatchObject({ credentials: 'omit', redirect: 'error' });
      if (origin === 'https://turnout.example') continue;
      expect(new Headers(init?.headers).get('Authorization')).toBe(null);
      expect(init?.body ?? null).toBe(null);
    }
    expect(sent.some(({ origin }) => origin === 'https://turnout.example')).toBe(true);
  });

  test('a session that never comes holds nothing up for ever, and a stop not at all', async () => {
    let asked = 0;
    const { server, client, errors } = setUp({
      auth: () => {
        asked += 1;
        return new Promise(() => {});
      },
    });
    client.start();
    await advance(60_000);
    expect(asked).toBeGreaterThan(4);
    expect(asked).toBeLessThan(30);
    expect(errors).toContain('unreachable');
    expect(server.seen.length).toBe(0);
    await client.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an application that gives no session is told so', async () => {
    const { server, client, errors } = setUp({
      auth: () => {
        throw new Error('sentinel');
      },
    });
    expect(client.getSnapshot()).toMatchObject({ reason: 'asking' });
    client.start();
    await advance(100);
    expect(client.getSnapshot()).toMatchObject({ mode: 'polling', strategy: null, reason: 'no-session' });
    expect(errors).toContain('no-session');
    expect(`${client.getSnapshot().error?.message}`).not.toContain('sentinel');
    expect(server.seen.length).toBe(0);
    await client.stop();
  });
});

describe('events', () => {
  test('ids that come again, in one page or later, and members named like those of objects', async () => {
    const { server, client, ids: got } = setUp();
    const event = (id: string, data: string) =>
      `{"id":"${id}","cursor":"${id}","type":"t","at":"","data":${data},"__proto__":{"x":1}}`;
    const pages = [
      `{"events":[${event('a', '1')},${event('a', '2')},${event('__proto__', '{"__proto__":{"x":1}}')}],"cursor":"1","hasMore":false}`,
      `{"events":[${event('__proto__', '3')},${event('constructor', '4')},${event('a', '5')}],"cursor":"2","hasMore":false}`,
    ];
    let n = 0;
    server.decide(
      JSON.parse('{"__proto__":{"strategy":"disabled"},"constructor":1,"polling":{"__proto__":{"limit":1}}}'),
    );
    server.fault = ({ path }) => (path.includes('/feeds/') ? new Response(pages[n++ % 2]) : undefined);
    client.start();
    await advance(60_000);
    expect(got).toEqual(['a', '__proto__', 'constructor']);
    expect(({} as { x?: number }).x).toBe(undefined);
    expect(client.getSnapshot().mode).toBe('polling');
    await client.stop();
  });

  test('two clients of one stream in one page have each event once', async () => {
    const { server, client, ids: got } = setUp();
    const other = setUp({ fetch: server.fetch });
    const more = listen(other.client);
    server.decide(LIVE);
    for (const one of [client, other.client]) one.start();
    for (let n = 0; n < 20; n += 1) {
      server.publish(`e${n}`);
      if (n % 5 === 0) server.cut();
      await advance(3000);
    }
    expect(got).toEqual(ids(20));
    expect(more.ids).toEqual(ids(20));
    await Promise.all([client.stop(), other.client.stop()]);
  });
});
