import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultDocument } from '../src/defaults.js';
import { createTurnoutClient } from '../src/index.js';
import type { FlagReport } from '../src/meter.js';
import type { createFakeTurnout } from '../src/testing.js';
import type { ClientOptions } from '../src/types.js';
import type { components } from '../src/wire.js';
import { advance, ids, listen, setUp } from './support.js';

type Report = Omit<components['schemas']['Report'], 'flags'> & { flags: FlagReport[] };
type Server = ReturnType<typeof createFakeTurnout>;

const MINUTE = 60_000;

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A client whose server says where to report. */
function reporting(options: Partial<ClientOptions> = {}): ReturnType<typeof setUp> {
  const all = setUp(options);
  all.server.decide({ report: { url: '/v1/reports', everyMs: MINUTE } });
  return all;
}

/** Another client of the same server and tab. */
function another(server: Server, options: Partial<ClientOptions>) {
  const client = createTurnoutClient({
    baseUrl: 'https://turnout.example',
    flag: 'build',
    stream: 'b-43',
    auth: () => 'session-sentinel',
    fetch: server.fetch,
    random: () => 0.5,
    ...options,
  });
  return { client, ...listen(client) };
}

const asked = (server: Server) => server.seen.filter((one) => one.path === '/v1/reports');
const reports = (server: Server): Report[] => asked(server).map((one) => JSON.parse(one.body));
const polls = (server: Server) => server.seen.filter((one) => one.path.includes('/feeds/'));
const sum = (numbers: number[]) => numbers.reduce((all, number) => all + number, 0);
const of = (server: Server, number: (flag: Report['flags'][0]) => number) =>
  sum(reports(server).flatMap((report) => report.flags.map(number)));
const down = (part: string, status: number) => (request: { path: string }) =>
  request.path.includes(part) ? new Response('{}', { status }) : undefined;

describe('what is reported', () => {
  test('polls and intervals add up to the requests the server saw', async () => {
    const { server, client } = reporting();
    client.start();
    await advance(2 * MINUTE);
    server.fault = down('/feeds/', 503);
    await advance(MINUTE);
    server.fault = down('/feeds/', 429);
    await advance(MINUTE);
    server.fault = () => undefined;
    server.publish(...ids(3));
    await advance(MINUTE);
    await client.stop();
    expect(of(server, ({ poll }) => poll.success + poll.error + poll.limited)).toBe(polls(server).length);
    expect(of(server, ({ poll }) => poll.success - poll.empty)).toBe(1);
    expect(of(server, ({ poll }) => poll.error)).toBeGreaterThan(3);
    expect(of(server, ({ poll }) => poll.limited)).toBeGreaterThan(0);
    expect(of(server, ({ intervalMs }) => sum(intervalMs.buckets))).toBe(polls(server).length - 1);
    const times = polls(server).map((one) => one.at);
    expect(of(server, ({ intervalMs }) => intervalMs.sumMs)).toBe((times.at(-1) ?? 0) - (times[0] ?? 0));
    expect(reports(server).length).toBeGreaterThanOrEqual(5);
    for (const report of reports(server)) expect(report.windowMs).toBeLessThanOrEqual(MINUTE);
  });

  test('the latency of live events alone: no first page, and nothing that is replayed', async () => {
    const { server, client, ids: got } = reporting();
    server.publish(...ids(3));
    await advance(50_000);
    client.start();
    await advance(2000);
    expect(got).toEqual(ids(3));
    expect(of(server, ({ latencyMs }) => sum(latencyMs.buckets))).toBe(0);
    // Two events between two polls: one delivery, which counts as long as its oldest event waited.
    const before = polls(server).at(-1)?.at ?? 0;
    server.publish('x');
    await advance(1000);
    server.publish('y');
    await advance(10_000);
    const waited = (polls(server).find((one) => one.at > before)?.at ?? 0) - 1_052_000;
    server.restart();
    await advance(MINUTE);
    await client.stop();
    expect(of(server, ({ latencyMs }) => sum(latencyMs.buckets))).toBe(1);
    expect(of(server, ({ latencyMs }) => latencyMs.sumMs)).toBe(waited);
    expect(of(server, ({ resets }) => resets)).toBe(1);
  });

  const { polling } = defaultDocument('build');
  for (const [how, document, most] of [
    ['by polls', {}, 15_750],
    ['by polls that are held', { polling: { ...polling, waitMs: 25_000 } }, 100],
    ['by the token alone, in realtime', { strategy: 'realtime-v2' }, 100],
  ] as const) {
    test(`latency is by the clock of the server, however wrong that of the browser is: ${how}`, async () => {
      const clock = {
        now: () => Date.now() + 3_600_000,
        setTimeout: (run: () => void, ms: number) => setTimeout(run, ms),
        clearTimeout: (timer: unknown) => clearTimeout(timer as ReturnType<typeof setTimeout>),
      };
      const { server, client } = reporting({ clock });
      server.decide(document);
      if ('strategy' in document) server.fault = down('/feeds/', 503);
      client.start();
      await advance(MINUTE / 2);
      server.publish('x');
      await advance(30_000);
      await client.stop();
      expect(of(server, ({ latencyMs }) => sum(latencyMs.buckets))).toBe(1);
      expect(of(server, ({ latencyMs }) => latencyMs.sumMs)).toBeLessThanOrEqual(most);
    });
  }

  test('streams that are live, what they lose, and why a client does something else', async () => {
    const { server, client } = reporting();
    server.decide({ strategy: 'realtime-v2' });
    // Any message is a sign of life.
    const beat = setInterval(() => server.send({ type: 'a-later-one' }), 15_000);
    client.start();
    await advance(30_000);
    expect(client.getSnapshot().mode).toBe('live');
    server.publish('x');
    await advance(1000);
    server.fault = down('/realtime/', 503);
    server.cut();
    await advance(1000);
    server.fault = () => undefined;
    await advance(20_000);
    expect(client.getSnapshot().mode).toBe('live');
    await advance(MINUTE);
    await client.stop();
    clearInterval(beat);
    expect(of(server, ({ realtime }) => realtime.connects)).toBe(2);
    expect(of(server, ({ realtime }) => realtime.failures)).toBe(0);
    // 112 s, less the two of the first retry.
    expect(of(server, ({ realtime }) => realtime.liveMs)).toBe(110_000);
    expect(of(server, ({ latencyMs }) => latencyMs.buckets[0] ?? 0)).toBe(1);
    const flags = reports(server).flatMap((report) => report.flags);
    expect(flags.every(({ strategy }) => strategy === 'realtime-v2')).toBe(true);
    expect(flags.map(({ mode }) => mode)).toContain('live');
    expect(flags.flatMap(({ switches }) => switches)).toContainEqual({
      from: 'live',
      to: 'connecting',
      reason: 'unreachable',
    });
  });

  test('no id of an event, no name of a stream, no credential', async () => {
    const { server, client } = reporting({ stream: 'stream-sentinel', attributes: () => ({ plan: 'plan-sentinel' }) });
    server.publish('event-sentinel');
    client.start();
    await advance(3 * MINUTE);
    client.complain();
    await client.stop();
    expect(reports(server).length).toBeGreaterThan(2);
    for (const one of asked(server)) {
      expect(one.body + one.url).not.toContain('sentinel');
      expect(one.headers.get('Authorization')).toBe('Bearer session-sentinel');
      expect(one.body.length).toBeLessThan(16_384);
    }
  });

  test('no more than a tab can do, however much fails', async () => {
    const { server, client } = reporting();
    const others = ids(40).map((stream) => another(server, { stream }).client);
    for (const one of [client, ...others]) one.start();
    await advance(100);
    server.fault = down('/feeds/', 500);
    await advance(3 * MINUTE);
    await Promise.all([client, ...others].map((one) => one.stop()));
    for (const { windowMs, flags } of reports(server)) {
      const done = sum(flags.map(({ poll }) => poll.success + poll.error + poll.limited));
      expect(done).toBeLessThanOrEqual((Math.floor(windowMs / MINUTE) + 1) * 60);
    }
  });
});

describe('when it is reported', () => {
  test('once a minute for all streams of a tab, and by each user for itself', async () => {
    const { server, client } = reporting();
    const others = [
      another(server, { stream: 'b-43' }),
      another(server, { flag: 'chat', stream: 'c-1' }),
      another(server, { auth: () => 'session-of-another' }),
    ];
    for (const one of [client, ...others.map((other) => other.client)]) one.start();
    await advance(50_000);
    expect(asked(server).map((one) => one.headers.get('Authorization'))).toEqual([
      'Bearer session-sentinel',
      'Bearer session-of-another',
    ]);
    const [mine, theirs] = reports(server);
    expect(mine?.flags.map(({ flag }) => flag)).toEqual(['build', 'chat']);
    expect(theirs?.flags.map(({ flag }) => flag)).toEqual(['build']);
    const [two, one] = [mine?.flags[0], theirs?.flags[0]];
    expect(two?.poll.success).toBe(2 * (one?.poll.success ?? 0));
    await advance(10 * MINUTE);
    expect(asked(server).length).toBe(22);
    await Promise.all([client, ...others.map((other) => other.client)].map((each) => each.stop()));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a complaint soon, and once', async () => {
    const { server, client } = reporting();
    client.start();
    await advance(5000);
    client.complain();
    client.complain();
    await advance(1000);
    expect(reports(server).map(({ flags }) => flags[0]?.complaint)).toEqual([true]);
    await advance(3 * MINUTE);
    await client.stop();
    expect(of(server, ({ complaint }) => Number(complaint))).toBe(1);
  });

  test('what is left when a client stops, and nothing afterwards', async () => {
    const { server, client } = reporting();
    client.start();
    await advance(10_000);
    await client.stop();
    expect(reports(server).map(({ flags }) => flags[0]?.mode)).toEqual(['polling']);
    expect(vi.getTimerCount()).toBe(0);
    await advance(10 * MINUTE);
    expect(asked(server).length).toBe(1);
    client.start();
    await advance(50_000);
    expect(asked(server).length).toBe(2);
    await client.stop();
  });

  test('when the page is hidden, and not while it stays so', async () => {
    const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    vi.stubGlobal('document', page);
    const view = new EventTarget();
    vi.stubGlobal('window', view);
    const inits: (RequestInit | undefined)[] = [];
    const all = reporting({
      fetch: (input, init) => {
        if (String(input).endsWith('/reports')) inits.push(init);
        return all.server.fetch(input, init);
      },
    });
    const { server, client } = all;
    client.start();
    await advance(10_000);
    page.visibilityState = 'hidden';
    page.dispatchEvent(new Event('visibilitychange'));
    await advance(0);
    expect(asked(server).length).toBe(1);
    await advance(10 * MINUTE);
    expect(asked(server).length).toBe(1);
    page.visibilityState = 'visible';
    page.dispatchEvent(new Event('visibilitychange'));
    await advance(10_000);
    view.dispatchEvent(new Event('pagehide'));
    await advance(0);
    expect(asked(server).length).toBe(2);
    expect(inits.map((init) => init?.keepalive)).toEqual([true, true]);
    await client.stop();
  });

  test('not for nothing, not where it is not wanted, and not to a server that does not say where', async () => {
    const disabled = reporting();
    disabled.server.decide({ strategy: 'disabled' });
    const unwanted = reporting({ report: false });
    const older = setUp();
    const unknown = reporting({ auth: () => undefined });
    const all = [disabled, unwanted, older, unknown];
    for (const { client } of all) client.start();
    await advance(5 * MINUTE);
    for (const { client, server } of all) {
      client.complain();
      await client.stop();
      if (server !== disabled.server) expect(asked(server)).toEqual([]);
    }
    expect(reports(disabled.server).length).toBe(1);
    expect(reports(disabled.server)[0]?.flags[0]).toMatchObject({ mode: 'disabled', complaint: true });
  });
});

describe('a report that is not taken', () => {
  test.each([[500], [429], [0]])('%i: is sent once more, then dropped, and nothing else notices', async (status) => {
    const good = reporting({ auth: () => 'session-of-another' });
    good.client.start();
    const bad = reporting();
    bad.server.fault = ({ path }) => {
      if (path !== '/v1/reports') return undefined;
      return status ? new Response('{}', { status, headers: { 'Retry-After': '20' } }) : new TypeError('down');
    };
    bad.client.start();
    await advance(55_000);
    expect(asked(bad.server).length).toBe(status ? 1 : 2);
    await advance(20_000);
    expect(asked(bad.server).length).toBe(2);
    expect(asked(bad.server)[0]?.body).toBe(asked(bad.server)[1]?.body);
    bad.server.publish('x');
    good.server.publish('x');
    await advance(40_000);
    expect(bad.ids).toEqual(['x']);
    expect(polls(bad.server).map((one) => one.at)).toEqual(polls(good.server).map((one) => one.at));
    expect(bad.errors).toEqual([]);
    await Promise.all([good.client.stop(), bad.client.stop()]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('one that is refused is dropped at once', async () => {
    const { server, client } = reporting();
    server.fault = down('/v1/reports', 400);
    client.start();
    await advance(MINUTE);
    expect(asked(server).length).toBe(1);
    await client.stop();
  });

  test('one that is never answered holds a stop for three seconds at most', async () => {
    const { server, client } = reporting();
    server.fault = ({ path }) => (path === '/v1/reports' ? new Promise<Response>(() => {}) : undefined);
    client.start();
    await advance(10_000);
    let stopped = false;
    void client.stop().then(() => {
      stopped = true;
    });
    await advance(3000);
    expect(stopped).toBe(true);
  });
});
