import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultDocument } from '../src/defaults.js';
import type { Seen } from '../src/testing.js';
import type { Cursor, TransportContext } from '../src/types.js';
import { advance, ids, setUp } from './support.js';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

/** What every document says of realtime besides its kind and its times. */
const SERVED = { tokenUrl: '/v1/token', connectMs: 10_000, fallbackMs: 300_000 };
const feeds = (server: { seen: Seen[] }) => server.seen.filter((one) => one.path.includes('/feeds/'));
const down =
  (part: string, status = 503) =>
  (request: { path: string }) =>
    request.path.includes(part) ? new Response('{}', { status }) : undefined;

describe('polling', () => {
  test('events come once and in order, over full pages and pages with exactly the limit', async () => {
    const { server, client, ids: got } = setUp({}, 50);
    server.publish(...ids(100));
    client.start();
    await advance(100);
    expect(got).toEqual(ids(100));
    server.publish(...ids(50, 100));
    await advance(6000);
    expect(got).toEqual(ids(150));
    expect(client.getSnapshot()).toMatchObject({ mode: 'polling', strategy: 'polling', upToDate: true, error: null });
    await client.stop();
  });

  test('more events than ids are remembered, after an outage: none lost, none twice', async () => {
    const { server, client, ids: got } = setUp({ dedupeWindow: 10 });
    client.start();
    await advance(10);
    server.fault = down('/feeds/');
    server.publish(...ids(3000));
    await advance(30_000);
    server.fault = () => undefined;
    await advance(120_000);
    expect(got).toEqual(ids(3000));
    await client.stop();
  });

  test('times of events decide nothing: equal ones over the edge of a page, and a later event with an earlier time', async () => {
    const { server, client, ids: got } = setUp({}, 2);
    server.publish('a', 'b', 'c', 'd', 'e');
    client.start();
    await advance(1000);
    const now = Date.now();
    vi.setSystemTime(now - 3_600_000);
    server.publish('late');
    vi.setSystemTime(now);
    await advance(10_000);
    expect(got).toEqual(['a', 'b', 'c', 'd', 'e', 'late']);
    await client.stop();
  });

  test('an idle stream is asked with its tag, which is answered 304', async () => {
    const { server, client } = setUp();
    client.start();
    await advance(12_000);
    expect(feeds(server).at(-1)).toHaveProperty('headers');
    expect(server.seen.filter((one) => one.headers.get('If-None-Match')?.startsWith('"f')).length).toBeGreaterThan(0);
    await client.stop();
  });

  test.each([409, 410])(
    'a stream that begins anew is told of once, and replayed, without a loop: %i',
    async (status) => {
      const { server, client, ids: got, resets } = setUp();
      server.publish('a', 'b');
      client.start();
      await advance(100);
      server.restart();
      await advance(6000);
      expect(resets.length).toBe(1);
      expect(got).toEqual(['a', 'b', 'a', 'b']);
      const before = server.seen.length;
      server.fault = ({ path }) =>
        path.includes('/feeds/') ? new Response('{"code":"stream-reset","cursor":"x"}', { status }) : undefined;
      await advance(6000);
      expect(server.seen.length - before).toBeLessThanOrEqual(4);
      await client.stop();
    },
  );

  test.each([
    ['is over before it is there', '/strategy'],
    ['is under way when it comes', '/feeds/'],
  ])('the second poll goes by the document, also if the first %s', async (_, slow) => {
    const { server, client } = setUp();
    server.decide({ polling: { ...defaultDocument('build').polling, startMs: 1500, minMs: 1000, dedupeMs: 1000 } });
    server.fault = async ({ path }) => {
      if (path.includes(slow)) await new Promise((resolve) => setTimeout(resolve, 300));
      return undefined;
    };
    client.start();
    await advance(10_000);
    const [first, second] = feeds(server).map((one) => one.at);
    expect((second ?? 0) - (first ?? 0)).toBeLessThanOrEqual(1800);
    await client.stop();
  });

  test('after a switch an idle stream is asked twice as soon as it may be, then as at the start', async () => {
    const { server, client } = setUp();
    client.start();
    await advance(120_000);
    server.decide({ strategy: 'realtime-v2' });
    await advance(20_000);
    expect(client.getSnapshot().mode).toBe('live');
    const before = feeds(server).length;
    server.decide({ strategy: 'polling' });
    await advance(25_000);
    const times = feeds(server).map((one) => one.at);
    const waits = times.slice(before).map((at, n, all) => (all[n + 1] ?? 0) - at);
    expect(waits.slice(0, 5)).toEqual([2000, 2000, 4000, 6000, 9000]);
    await client.stop();
  });

  test('the time that a poll takes counts as waiting, half of a wait at most', async () => {
    const table: [number, number][] = [
      [0, 4000],
      [1500, 4000],
      [3000, 5000],
    ];
    for (const [tookMs, apart] of table) {
      const { server, client } = setUp();
      client.start();
      await advance(100);
      server.fault = async ({ path }) => {
        if (path.includes('/feeds/')) server.publish(`e${server.seen.length}`);
        await new Promise((resolve) => setTimeout(resolve, tookMs));
        return undefined;
      };
      await advance(60_000);
      const times = feeds(server).map((one) => one.at);
      expect((times[4] ?? 0) - (times[3] ?? 0), `it takes ${tookMs} ms`).toBe(apart);
      const stopped = client.stop();
      await advance(tookMs);
      await stopped;
    }
  });

  test('a clock that is set back or ahead holds no poll up', async () => {
    for (const jump of [-3_600_000, 3_600_000]) {
      const { server, client } = setUp();
      client.start();
      await advance(10_000);
      vi.setSystemTime(Date.now() + jump);
      const before = feeds(server).length;
      client.refresh();
      await advance(2100);
      expect(feeds(server).length - before, `by ${jump} ms`).toBe(1);
      await advance(60_000);
      expect(feeds(server).length - before, `by ${jump} ms`).toBeGreaterThanOrEqual(5);
      expect(feeds(server).length - before, `by ${jump} ms`).toBeLessThanOrEqual(8);
      await client.stop();
    }
  });

  test('at most sixty polls in any minute, drains included', async () => {
    const { server, client } = setUp({}, 1);
    server.publish(...ids(400));
    client.start();
    await advance(300_000);
    const times = feeds(server).map((one) => one.at);
    for (const from of times)
      expect(times.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(60);
    await client.stop();
  });

  test('who is not let in is told so, and asked about no more', async () => {
    const { server, client } = setUp();
    server.fault = () => new Response('{"code":"unauthenticated"}', { status: 401 });
    client.start();
    await advance(100);
    expect(client.getSnapshot().mode).toBe('unauthenticated');
    const before = server.seen.length;
    await advance(600_000);
    expect(server.seen.length).toBe(before);
    server.fault = () => undefined;
    client.refresh();
    await advance(100);
    expect(client.getSnapshot().mode).toBe('polling');
    await client.stop();
  });

  test('a renewed session is asked with, although the last one is refused meanwhile', async () => {
    let session = 'old';
    const { server, client } = setUp({ auth: () => session });
    client.start();
    await advance(5000);
    server.fault = async () => {
      const mine = session;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return mine === 'old' ? new Response('{"code":"unauthenticated"}', { status: 401 }) : undefined;
    };
    client.refresh();
    await advance(500);
    session = 'new';
    client.refresh();
    await advance(30_000);
    expect(client.getSnapshot().mode).toBe('polling');
    session = 'old';
    client.refresh();
    await advance(30_000);
    expect(client.getSnapshot().mode).toBe('unauthenticated');
    const stopped = client.stop();
    await advance(2000);
    await stopped;
  });

  test('once a stream has ended, nothing is asked', async () => {
    const { server, client } = setUp();
    server.fault = ({ path }) =>
      path.includes('/feeds/')
        ? new Response('{"events":[],"cursor":"x","hasMore":false,"ended":true}', { status: 200 })
        : undefined;
    client.start();
    await advance(5000);
    expect(client.getSnapshot().mode).toBe('ended');
    const before = server.seen.length;
    await advance(600_000);
    client.refresh();
    await advance(5000);
    expect(server.seen.length).toBe(before);
    await client.stop();
  });

  test('an address may name the stream twice', async () => {
    const { server, client } = setUp();
    server.decide({ polling: { ...defaultDocument('build').polling, url: '/v1/feeds/{stream}/x?of={stream}' } });
    client.start();
    await advance(10_000);
    expect(feeds(server).at(-1)?.url).toContain('/v1/feeds/b-42/x?of=b-42');
    await client.stop();
  });

  test('disabled asks nothing but its strategy', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'disabled' });
    client.start();
    await advance(100);
    expect(client.getSnapshot().mode).toBe('disabled');
    const before = feeds(server).length;
    await advance(300_000);
    expect(feeds(server).length).toBe(before);
    await client.stop();
  });
});

describe('held polls', () => {
  const held = (waitMs = 25_000) => ({ polling: { ...defaultDocument('build').polling, waitMs } });

  test('one that ended empty is followed at once, and an event comes at once', async () => {
    const { server, client, ids: got } = setUp();
    server.decide(held());
    client.start();
    await advance(5000);
    const before = feeds(server).length;
    expect(server.held).toBe(1);
    await advance(100_000);
    const times = feeds(server)
      .slice(before - 1)
      .map((one) => one.at);
    expect(times.length).toBe(5);
    for (let n = 1; n < times.length; n += 1) expect((times[n] ?? 0) - (times[n - 1] ?? 0)).toBeLessThan(25_100);
    await advance(10_000);
    server.publish('a');
    await advance(1);
    expect(got).toEqual(['a']);
    expect(server.held).toBe(1);
    await client.stop();
    expect(server.held).toBe(0);
  });

  test('one that the server does not hold is followed after the waits of polls that are not held', async () => {
    const { server, client } = setUp();
    server.decide(held());
    server.fault = ({ path }) => (path.includes('/feeds/') ? new Response(null, { status: 304 }) : undefined);
    client.start();
    await advance(60_000);
    expect(feeds(server).length).toBeLessThanOrEqual(7);
    await client.stop();
  });

  test('however events come, a minute has no more of them than of polls that are not held', async () => {
    const { server, client, ids: got } = setUp();
    server.decide(held());
    client.start();
    for (let n = 0; n < 600; n += 1) {
      server.publish(`e${n}`);
      await advance(500);
    }
    await advance(10_000);
    expect(got).toEqual(ids(600));
    const times = feeds(server).map((one) => one.at);
    for (const from of times)
      expect(times.filter((at) => at >= from && at < from + 60_000).length).toBeLessThanOrEqual(17);
    await client.stop();
  });

  test('a poll that is a bridge to realtime is not held, and one that is held makes room', async () => {
    const { server, client } = setUp();
    server.decide(held());
    client.start();
    await advance(60_000);
    expect(server.held).toBe(1);
    server.decide({ strategy: 'realtime-v2', enterSpreadMs: 20_000 });
    client.refresh();
    await advance(2500);
    expect(client.getSnapshot().mode).toBe('connecting');
    expect(server.held).toBe(0);
    expect(feeds(server).at(-1)?.url).not.toContain('wait=');
    await client.stop();
  });
});

describe('realtime', () => {
  test('events come at once, and the tokens in no address', async () => {
    const { server, client, ids: got, modes } = setUp();
    server.publish('a');
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(100);
    expect(client.getSnapshot()).toMatchObject({ mode: 'live', bridging: false });
    server.publish('b', 'c');
    await advance(1);
    expect(got).toEqual(['a', 'b', 'c']);
    expect(modes).toContain('live');
    const before = feeds(server).length;
    await advance(60_000);
    expect(feeds(server).length).toBe(before);
    for (const one of server.seen) {
      expect(one.url).not.toMatch(/sentinel|token-\d/);
      if (one.path.includes('/realtime/')) expect(one.headers.get('Authorization')).toBe('Bearer token-1');
      else expect(one.headers.get('Authorization')).toBe('Bearer session-sentinel');
    }
    expect(JSON.stringify(client.getSnapshot())).not.toMatch(/sentinel|token-\d/);
    await client.stop();
  });

  test('a place that is kept goes on behind what was delivered', async () => {
    const { server, client, ids: got } = setUp();
    const places: (string | null)[] = [];
    client.on('events', () => void places.push(client.getSnapshot().cursor));
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(100);
    server.publish('a', 'b');
    await advance(1);
    expect(got).toEqual(['a', 'b']);
    expect(places).toEqual(['1.2']);
    const kept = client.getSnapshot().cursor as Cursor;
    await client.stop();
    const next = setUp({ initialCursor: kept, fetch: server.fetch });
    next.client.start();
    server.publish('c');
    await advance(5000);
    expect(next.ids).toEqual(['c']);
    await next.client.stop();
  });

  test('a backlog of more events than ids are remembered comes once, over polls and a slow stream', async () => {
    const { server, client, ids: got } = setUp();
    server.publish(...ids(5000));
    server.decide({ strategy: 'realtime-v2' });
    server.fault = async ({ path }) => {
      const ms = path.includes('/realtime/') ? 3000 : path.includes('/feeds/') ? 400 : 0;
      await new Promise((resolve) => setTimeout(resolve, ms));
      return undefined;
    };
    client.start();
    await advance(60_000);
    expect(client.getSnapshot()).toMatchObject({ mode: 'live', cursor: '1.5000' });
    expect(got).toEqual(ids(5000));
    server.publish('last');
    await advance(1);
    expect(got.at(-1)).toBe('last');
    await client.stop();
  });

  test('a client that begins at what is new has its place before it connects', async () => {
    const { server, client, ids: got } = setUp({ initialCursor: 'now' });
    server.publish('old');
    server.decide({ strategy: 'realtime-v2' });
    server.fault = async ({ path }) => {
      if (path.includes('/feeds/')) await new Promise((resolve) => setTimeout(resolve, 3000));
      return undefined;
    };
    client.start();
    await advance(2000);
    expect(client.getSnapshot()).toMatchObject({ mode: 'connecting', cursor: null });
    await advance(3000);
    expect(client.getSnapshot()).toMatchObject({ mode: 'live', cursor: '1.1' });
    server.fault = down('/realtime/');
    server.cut();
    await advance(500);
    server.publish('meanwhile');
    await advance(1000);
    server.fault = () => undefined;
    await advance(30_000);
    expect(got).toEqual(['meanwhile']);
    await client.stop();
  });

  test('it acknowledges what it holds', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(2000);
    const ack = server.seen.find((one) => one.path.endsWith('/ack'));
    expect(JSON.parse(ack?.body ?? '{}')).toEqual({ ackId: 'ack', position: '2' });
    await client.stop();
  });

  test('a stop closes the stream at once; polling goes on, its first poll spread', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(100);
    expect(server.open).toBe(1);
    const before = feeds(server).length;
    server.decide({ strategy: 'polling', enterSpreadMs: 5000 });
    await advance(1);
    expect(client.getSnapshot().mode).toBe('polling');
    expect(server.open).toBe(0);
    await advance(2400);
    expect(feeds(server).length).toBe(before);
    await advance(200);
    expect(feeds(server).length).toBe(before + 1);
    await client.stop();
  });

  test('entering is spread, and polls go on meanwhile', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2', enterSpreadMs: 20_000 });
    client.start();
    await advance(9000);
    expect(client.getSnapshot().mode).toBe('connecting');
    expect(feeds(server).length).toBeGreaterThanOrEqual(2);
    await advance(2000);
    expect(client.getSnapshot().mode).toBe('live');
    await client.stop();
  });

  test.each([
    ['while it waits to enter', 9900],
    ['at once', 50],
  ])('a strategy that is another %s costs no refused token', async (_, untilOther) => {
    const { server, client, modes } = setUp();
    client.start();
    await advance(1000);
    server.decide({ strategy: 'realtime-v2', enterSpreadMs: 20_000 });
    client.refresh();
    await advance(untilOther);
    server.decide({ strategy: 'polling' });
    await advance(30_000);
    expect(server.seen.filter(({ path }) => path.includes('/token') || path.includes('/realtime'))).toEqual([]);
    expect(client.getSnapshot()).toMatchObject({ mode: 'polling', strategy: 'polling', error: null });
    expect(modes).not.toContain('realtime');
    await client.stop();
  });

  test('a stream that ends is followed by another without a question of its own', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(20_000);
    expect(server.open).toBe(1);
    const asked = () => server.seen.filter(({ path }) => path.includes('/strategy')).length;
    const before = asked();
    server.cut();
    await advance(5000);
    expect(server.open).toBe(1);
    expect(asked() - before).toBe(0);
    await client.stop();
  });

  test('a switch mints no token while one is good, and an hour asleep mints one before it connects', async () => {
    const { server, client } = setUp();
    const tokens = () => server.seen.filter((one) => one.path === '/v1/token').length;
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(100);
    for (let n = 0; n < 10; n += 1) {
      server.decide({ strategy: n % 2 === 0 ? 'polling' : 'realtime-v2' });
      await advance(20_000);
    }
    expect(tokens()).toBe(1);
    await advance(10_000);
    expect(client.getSnapshot().mode).toBe('live');
    vi.setSystemTime(Date.now() + 3_600_000);
    server.cut();
    await advance(5000);
    expect(tokens()).toBe(2);
    expect(
      server.seen
        .filter((one) => one.path.includes('/realtime/'))
        .at(-1)
        ?.headers.get('Authorization'),
    ).toBe('Bearer token-2');
    await client.stop();
  });

  test('a stream that hears of a new beginning elsewhere than at the place ends, and the next one goes on', async () => {
    const opened: TransportContext[] = [];
    // The server's streams: the test says what each of them carries.
    const sse = (context: TransportContext) => {
      opened.push(context);
      return new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
    };
    const { server, client, ids: got, resets } = setUp({ transports: { sse } });
    const at = (cursor: string) => cursor as Cursor;
    const batch = (cursor: string, ...some: string[]) => ({
      events: some.map((id) => ({ id, cursor, type: 't', at: '', data: null })),
      cursor,
      hasMore: false,
    });
    server.fault = ({ path }) => (path.includes('/feeds/') ? new Response('{}', { status: 500 }) : undefined);
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(1000);
    const [old] = opened;
    old?.push(batch('old.1', 'a'));
    old?.live();
    await advance(12_000);
    old?.goodbye('age', 100);
    await advance(1000);
    const next = opened[1];
    expect(next?.cursor).toBe('old.1');
    // The last stream delivers once more before the next one hears that all begins anew.
    old?.push(batch('old.2', 'b'));
    next?.reset(at('new.0'));
    next?.push(batch('new.1', 'c'));
    expect(next?.push(batch('new.1', 'c'))).toBe(false);
    expect(next?.signal.aborted).toBe(true);
    expect(old?.signal.aborted).toBe(false);
    await advance(5000);
    const last = opened[2];
    expect(last?.cursor).toBe('old.2');
    last?.reset(at('new.0'));
    last?.push(batch('new.1', 'c'));
    last?.live();
    last?.push(batch('new.2', 'd'));
    expect(got).toEqual(['a', 'b', 'c', 'd']);
    expect(resets).toEqual(['new.0']);
    expect(client.getSnapshot().mode).toBe('live');
    // Both hear of the same beginning: the second goes on from there.
    await advance(12_000);
    last?.goodbye('age', 100);
    await advance(1000);
    last?.reset(at('newer.0'));
    opened[3]?.reset(at('newer.0'));
    opened[3]?.push(batch('newer.1', 'e'));
    expect(got.at(-1)).toBe('e');
    expect(resets).toEqual(['new.0', 'newer.0']);
    expect(opened[3]?.signal.aborted).toBe(false);
    await client.stop();
  });

  test('the next stream is open before the last one goes', async () => {
    const { server, client, ids: got } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(12_000);
    server.send({ type: 'goodbye', reason: 'age', afterMs: 1000 });
    server.publish('a');
    await advance(1100);
    server.publish('b');
    await advance(10);
    expect(server.open).toBe(1);
    expect(server.seen.filter((one) => one.path.includes('/realtime/')).length).toBe(2);
    expect(client.getSnapshot().mode).toBe('live');
    expect(got).toEqual(['a', 'b']);
    await client.stop();
  });
});

describe('a goodbye', () => {
  const opened = (server: ReturnType<typeof setUp>['server']) =>
    server.seen.filter(({ path }) => path.includes('/realtime/')).map(({ at }) => at);

  test.each([
    ['that was live for long', 30_000, 30_000],
    ['that was not', 5000, 30_000],
  ])('of a stream %s says when the next one is opened, also if that one ends first', async (_, lived, afterMs) => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(lived);
    const [first] = opened(server);
    const said = Date.now();
    server.send({ type: 'goodbye', reason: 'stopping', afterMs });
    await advance(100);
    server.cut();
    await advance(afterMs - 1000);
    expect(opened(server)).toEqual([first]);
    await advance(2000);
    expect(opened(server)).toEqual([first, said + afterMs]);
    expect(client.getSnapshot().mode).toBe('live');
    await client.stop();
  });

  test('of a stream that another one of the user replaced: it polls, and tries again at leisure', async () => {
    const { server, client, ids: got } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(20_000);
    server.send({ type: 'goodbye', reason: 'replaced', afterMs: 2000 });
    server.publish('a');
    await advance(5000);
    expect(got).toEqual(['a']);
    expect(client.getSnapshot()).toMatchObject({ mode: 'polling', reason: 'tabs' });
    await advance(280_000);
    expect(opened(server).length).toBe(1);
    await advance(30_000);
    expect(client.getSnapshot().mode).toBe('live');
    await client.stop();
  });

  test('of a stream that its own successor replaced changes nothing', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(20_000);
    server.fault = async ({ path }) => {
      if (path.includes('/realtime/')) await new Promise((resolve) => setTimeout(resolve, 3000));
      return undefined;
    };
    server.send({ type: 'goodbye', reason: 'age', afterMs: 1 });
    await advance(1000);
    server.send({ type: 'goodbye', reason: 'replaced', afterMs: 2000 });
    server.cut();
    await advance(5000);
    expect(client.getSnapshot().mode).toBe('live');
    await client.stop();
  });
});

describe('a page', () => {
  const page = () => {
    const shown = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    vi.stubGlobal('document', shown);
    vi.stubGlobal('window', new EventTarget());
    const show = (visibilityState: string) => {
      shown.visibilityState = visibilityState;
      shown.dispatchEvent(new Event('visibilitychange'));
    };
    return { show, online: () => window.dispatchEvent(new Event('online')) };
  };
  afterEach(() => void vi.unstubAllGlobals());

  test('that was hidden for some seconds is up to date while its stream is live', async () => {
    const { show } = page();
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(20_000);
    show('hidden');
    await advance(5000);
    show('visible');
    await advance(100);
    expect(client.getSnapshot()).toMatchObject({ mode: 'live', upToDate: true });
    await client.stop();
  });

  test('that is hidden asks nothing when the network is back', async () => {
    const { show, online } = page();
    const { server, client } = setUp();
    client.start();
    await advance(5000);
    show('hidden');
    await advance(120_000);
    const before = server.seen.length;
    online();
    await advance(5000);
    expect(server.seen.length).toBe(before);
    show('visible');
    await advance(1000);
    expect(server.seen.length).toBeGreaterThan(before);
    await client.stop();
  });
});

describe('faults', () => {
  for (const [name, part] of [
    ['the token endpoint', '/token'],
    ['realtime', '/realtime/'],
  ] as const) {
    test(`${name} is down: retries at 2, 6, 14, 30 and 62 s, then degraded; the feed is never silent`, async () => {
      const { server, client } = setUp();
      server.decide({ strategy: 'realtime-v2' });
      server.fault = down(part);
      client.start();
      await advance(70_000);
      const asked = server.seen.filter((one) => one.path.includes(part)).map((one) => one.at);
      expect(asked.map((at) => Math.round((at - (asked[0] ?? 0)) / 1000))).toEqual([0, 2, 6, 14, 30, 62]);
      expect(client.getSnapshot().mode).toBe('degraded');
      const times = feeds(server)
        .map((one) => one.at)
        .filter((at) => at < 1_062_000);
      for (let n = 1; n < times.length; n += 1) expect((times[n] ?? 0) - (times[n - 1] ?? 0)).toBeLessThanOrEqual(5000);
      server.fault = () => undefined;
      await advance(310_000);
      expect(client.getSnapshot().mode).toBe('live');
      await client.stop();
    });
  }

  test.each([404, 401])('realtime alone answers %i: the feed goes on, and the waits are spent', async (status) => {
    const { server, client, ids: got } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    server.fault = ({ path }) => (path.includes('/realtime/') ? new Response('{}', { status }) : undefined);
    client.start();
    await advance(100_000);
    server.publish('a');
    await advance(16_000);
    expect(got).toEqual(['a']);
    expect(client.getSnapshot().mode).toBe('degraded');
    expect(server.seen.filter(({ path }) => path.includes('/realtime/')).length).toBeLessThanOrEqual(12);
    await client.stop();
  });

  test('a token that is refused for its session ends what is asked', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    server.fault = ({ path }) => (path.includes('/token') ? new Response('{}', { status: 401 }) : undefined);
    client.start();
    await advance(5000);
    expect(client.getSnapshot().mode).toBe('unauthenticated');
    await client.stop();
  });

  test('a stream that is not there yet is followed in realtime soon after it is', async () => {
    const { server, client, ids: got } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    server.fault = ({ path }) => (/feeds|token/.test(path) ? new Response('{}', { status: 404 }) : undefined);
    client.start();
    await advance(100_000);
    expect(client.getSnapshot().mode).toBe('degraded');
    server.fault = () => undefined;
    server.publish('a');
    await advance(16_000);
    expect(got).toEqual(['a']);
    expect(client.getSnapshot().mode).toBe('live');
    await client.stop();
  });

  test('a proxy that holds the stream back counts as a failure after ten seconds', async () => {
    const { server, client, errors } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    server.fault = ({ path }) => (path.includes('/realtime/') ? new Response(new ReadableStream({})) : undefined);
    client.start();
    await advance(10_500);
    expect(client.getSnapshot()).toMatchObject({ mode: 'connecting', bridging: true });
    expect(errors).toEqual(['silent']);
    await advance(50_000);
    const times = feeds(server).map((one) => one.at);
    for (let n = 1; n < times.length; n += 1) expect((times[n] ?? 0) - (times[n - 1] ?? 0)).toBeLessThanOrEqual(5000);
    await client.stop();
  });

  test('a stream without a sign of life is left after two and a half heartbeats', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(100);
    await advance(38_000);
    expect(server.seen.filter((one) => one.path.includes('/realtime/')).length).toBe(1);
    await advance(3000);
    expect(server.seen.filter((one) => one.path.includes('/realtime/')).length).toBe(2);
    await client.stop();
  });

  test('without streaming bodies it polls, and says why', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    server.fault = ({ path }) => (path.includes('/realtime/') ? new Response(null) : undefined);
    client.start();
    await advance(100);
    expect(client.getSnapshot()).toMatchObject({ mode: 'polling', reason: 'unsupported' });
    await client.stop();
  });

  test('what a later server says is ignored or polled, never thrown', async () => {
    const { server, client, ids: got } = setUp();
    server.publish('a');
    server.decide({ strategy: 'hologram' as never });
    client.start();
    await advance(100);
    expect(client.getSnapshot().mode).toBe('polling');
    server.decide({
      strategy: 'realtime-v2',
      realtime: { kind: 'pigeon' as never, ...SERVED, tokenTtlMs: 1, retryMs: [] },
    });
    await advance(61_000);
    expect(client.getSnapshot()).toMatchObject({ mode: 'polling', reason: 'unknown-kind' });
    server.decide({ realtime: { kind: 'sse', ...SERVED, tokenTtlMs: 1, retryMs: [2000] } });
    await advance(61_000);
    server.send({ type: 'weather', sun: true });
    server.publish('b');
    await advance(100);
    expect(client.getSnapshot().mode).toBe('live');
    expect(got).toEqual(['a', 'b']);
    await client.stop();
  });

  test('a megabyte without an end of a message ends the stream', async () => {
    const { server, client, errors } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    const chunk = new TextEncoder().encode('x'.repeat(300_000));
    let sent = 0;
    server.fault = ({ path }) =>
      path.includes('/realtime/')
        ? new Response(new ReadableStream({ pull: (to) => (sent++ < 50 ? to.enqueue(chunk) : to.close()) }))
        : undefined;
    client.start();
    await advance(100);
    expect(errors).toContain('bad-answer');
    expect(sent).toBeLessThan(15);
    await client.stop();
  });

  test('after the stop a stale client gets no token, and polls', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    server.fault = down('/token');
    client.start();
    await advance(100);
    server.fault = () => undefined;
    server.decide({ strategy: 'polling' });
    await advance(6000);
    expect(client.getSnapshot().mode).toBe('polling');
    expect(server.seen.filter((one) => one.path.includes('/realtime/')).length).toBe(0);
    await client.stop();
  });

  test('a document with a lower position than the one held is not taken', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(100);
    server.send({ type: 'strategy', document: { strategy: 'disabled' }, etag: '"old"', position: '1' });
    await advance(100);
    expect(client.getSnapshot().mode).toBe('live');
    await client.stop();
  });
});

describe('what names the state of a flag', () => {
  test('a node that is behind is asked again after the next poll', async () => {
    const { server, client } = setUp();
    client.start();
    await advance(100);
    let behind = 2;
    server.fault = ({ path }) =>
      path.includes('/strategy') && behind-- > 0
        ? new Response(null, { status: 304, headers: { 'Turnout-Flag-Revision': '1' } })
        : undefined;
    server.decide({ strategy: 'disabled' });
    await advance(26_000);
    expect(client.getSnapshot().mode).toBe('disabled');
    await client.stop();
  });

  test.each([
    ['a position that no answer has', '/feeds/', 200, 22],
    ['one, while the strategy cannot be asked for', '/feeds/', 503, 10],
  ])('%s is asked about at leisure', async (_, part, status, most) => {
    const { server, client } = setUp();
    const headers = { 'Turnout-Flag-Revision': '999999999999999' };
    const page = '{"events":[],"cursor":"c","hasMore":false}';
    server.fault = ({ path }) => {
      if (path.includes(part)) return new Response(page, { headers });
      return status === 200 ? undefined : new Response('{}', { status });
    };
    client.start();
    await advance(120_000);
    expect(server.seen.filter(({ path }) => path.includes('/strategy')).length).toBeLessThanOrEqual(most);
    await client.stop();
  });

  test('a tag that a proxy made weak is the same tag', async () => {
    const { server } = setUp();
    const { client } = setUp({
      fetch: async (input, init) => {
        // It packs each answer, and answers each question whole.
        const { 'If-None-Match': _, ...headers } = (init?.headers ?? {}) as Record<string, string>;
        const answer = await server.fetch(input, { ...init, headers });
        const tag = answer.headers.get('ETag');
        if (tag) answer.headers.set('ETag', `W/${tag}`);
        return answer;
      },
    });
    server.decide({ strategy: 'realtime-v2', validForMs: 1_000_000 });
    client.start();
    await advance(1000);
    client.refresh();
    await advance(1000);
    const before = server.seen.length;
    for (let n = 0; n < 20; n += 1) {
      server.send({ type: 'heartbeat', etag: '"d2"', position: '2' });
      await advance(5000);
    }
    expect(client.getSnapshot().mode).toBe('live');
    expect(server.seen.slice(before).filter(({ path }) => path.includes('/strategy')).length).toBe(0);
    await client.stop();
  });
});

describe('a client', () => {
  test('after stop there is no timer and no open request', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.start();
    await advance(100);
    await client.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(server.open).toBe(0);
    expect(client.getSnapshot().mode).toBe('stopped');
  });

  test('a loop over events that is aborted within a batch gets no further one', async () => {
    const { server, client } = setUp();
    server.publish('a', 'b', 'c');
    const ending = new AbortController();
    const got: string[] = [];
    const loop = (async () => {
      for await (const event of client.events({ signal: ending.signal })) {
        got.push(event.id);
        if (event.id === 'b') ending.abort();
      }
    })();
    await advance(100);
    await loop;
    expect(got).toEqual(['a', 'b']);
    await advance(10);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('held, released and held again within a task, it opens one stream', async () => {
    const { server, client } = setUp();
    server.decide({ strategy: 'realtime-v2' });
    client.acquire()();
    const release = client.acquire();
    await advance(100);
    expect(server.seen.filter((one) => one.path.includes('/realtime/')).length).toBe(1);
    release();
    await advance(10);
    expect(client.getSnapshot().mode).toBe('stopped');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('stopped and started again within a task, it asks for the strategy', async () => {
    const { server, client } = setUp({ stream: null });
    server.fault = async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return undefined;
    };
    client.start();
    await advance(10);
    void client.stop();
    client.start();
    await advance(1000);
    expect(client.getSnapshot().strategy).toBe('polling');
    await client.stop();
  });

  test('that was started goes on when a loop over its events ends', async () => {
    const { server, client, ids: got } = setUp();
    server.publish('a');
    client.start();
    const loop = (async () => {
      for await (const _ of client.events()) break;
    })();
    await advance(100);
    await loop;
    await advance(100);
    server.publish('b');
    await advance(6000);
    expect(got).toEqual(['a', 'b']);
    await client.stop();
    expect(client.getSnapshot().mode).toBe('stopped');
  });

  test('data that `parse` refuses is left out, and the stream goes on', async () => {
    const {
      server,
      client,
      ids: got,
      errors,
    } = setUp({
      parse: (data) => {
        if ((data as { id: string }).id === 'b') throw new Error('no');
        return data;
      },
    });
    server.publish('a', 'b', 'c');
    client.start();
    await advance(100);
    expect(got).toEqual(['a', 'c']);
    expect(errors).toEqual(['bad-data']);
    await client.stop();
  });

  for (const [strategy, how] of [
    ['polling', 'a request'],
    ['realtime-v2', 'refresh()'],
  ] as const) {
    test(`another user in the same client, noticed at ${how}: nothing of the last one is kept or sent`, async () => {
      let user = 'u-1';
      const {
        server,
        client,
        ids: got,
      } = setUp({
        identityKey: () => user,
        auth: () => `session-of-${user}`,
        initialCursor: '1.1' as Cursor,
      });
      server.publish('skipped', 'a');
      server.decide({ strategy, report: { url: '/v1/reports', everyMs: 60_000 } });
      const seen: (string | null)[] = [];
      client.on('reset', ({ cursor }) => {
        seen.push(cursor);
        got.push('reset');
      });
      client.start();
      await advance(1000);
      expect(got).toEqual(['a']);
      const before = server.seen.length;
      user = 'u-2';
      if (strategy === 'realtime-v2') client.refresh();
      await advance(20_000);
      expect(got).toEqual(['a', 'reset', 'skipped', 'a']);
      expect(seen).toEqual([null]);
      expect(client.getSnapshot().mode).toBe(strategy === 'polling' ? 'polling' : 'live');
      expect(server.open).toBe(strategy === 'polling' ? 0 : 1);
      const later = server.seen.slice(before);
      for (const one of later) {
        if (one.path.includes('/realtime/')) expect(one.headers.get('Authorization')).toBe('Bearer token-2');
        else expect(one.headers.get('Authorization')).toBe('Bearer session-of-u-2');
      }
      const first = later.find((one) => one.path.includes('/feeds/'));
      expect(first?.url).not.toContain('cursor');
      await client.stop();
      const reported = server.seen.filter((one) => one.path === '/v1/reports').map((one) => JSON.parse(one.body));
      // What the last user did is reported to none.
      expect(reported.flatMap(({ flags }) => flags).every((flag: { resets: number }) => flag.resets === 0)).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    });
  }

  test('no session and no token is in an address, an error, a log line, a snapshot, a report or what a page stores', async () => {
    const said: unknown[] = [];
    const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) =>
      vi.spyOn(console, name).mockImplementation((...words) => void said.push(...words)),
    );
    const stored = { setItem: (...words: string[]) => void said.push(...words) };
    vi.stubGlobal('localStorage', stored);
    vi.stubGlobal('sessionStorage', stored);
    const { server, client } = setUp();
    client.on('error', (error) => void said.push(error.message, error.stack, JSON.stringify(error)));
    client.subscribe(() => void said.push(JSON.stringify(client.getSnapshot())));
    server.decide({ report: { url: '/v1/reports', everyMs: 1000 } });
    client.start();
    for (const status of [0, 400, 401, 403, 404, 409, 429, 500]) {
      for (const strategy of ['realtime-v2', 'polling'] as const) {
        server.fault = () => undefined;
        server.decide({ strategy });
        client.refresh();
        await advance(5000);
        server.fault = () => (status ? new Response('session-sentinel token-1', { status }) : new Error('token-1'));
        server.cut();
        client.refresh();
        await advance(5000);
      }
    }
    await client.stop();
    for (const { url, body } of server.seen) said.push(url, body);
    expect(server.seen.some((one) => one.path === '/v1/reports')).toBe(true);
    expect(server.seen.some((one) => one.headers.get('Authorization') === 'Bearer token-1')).toBe(true);
    expect(said.length).toBeGreaterThan(100);
    for (const one of said) expect(String(one)).not.toMatch(/sentinel|token-\d/);
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllGlobals();
  });

  test('credentials go to no other origin', async () => {
    const { server, client } = setUp();
    server.decide({
      polling: {
        url: 'https://elsewhere.example/feeds/x',
        startMs: 4000,
        minMs: 3000,
        maxMs: 15_000,
        factor: 1.5,
        dedupeMs: 2000,
        limit: 50,
        waitMs: 0,
      },
    });
    client.start();
    await advance(10_000);
    const elsewhere = server.seen.filter((one) => one.url.startsWith('https://elsewhere'));
    expect(elsewhere.length).toBeGreaterThan(0);
    for (const one of elsewhere) expect(one.headers.get('Authorization')).toBeNull();
    await client.stop();
  });

  test('events can be iterated over', async () => {
    const { server, client } = setUp();
    server.publish('a', 'b');
    const got: string[] = [];
    const reading = (async () => {
      for await (const event of client.events()) {
        got.push(event.id);
        if (got.length === 3) break;
      }
    })();
    await advance(100);
    server.publish('c');
    await advance(6000);
    await reading;
    expect(got).toEqual(['a', 'b', 'c']);
    await advance(10);
    expect(client.getSnapshot().mode).toBe('stopped');
  });
});
