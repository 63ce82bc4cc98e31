// Ten minutes of clients in made time, against the server in memory with the limit of the real one: 60 feed answers a user in any 60 s.

import { createTurnoutClient } from 'turnout-client';
import { createFakeTurnout } from 'turnout-client/testing';

const QUOTA = 60;
const WINDOW_MS = 60_000;

/** A clock that runs as fast as what it wakes. */
function madeClock() {
  let now = 1_000_000;
  let next = 1;
  const timers = new Map();
  const settle = async () => {
    for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    now: () => now,
    setTimeout(run, ms) {
      timers.set(next, { at: now + Math.max(0, ms), run });
      return next++;
    },
    clearTimeout: (timer) => timers.delete(timer),
    get pending() {
      return timers.size;
    },
    async run(ms) {
      const end = now + ms;
      for (;;) {
        await settle();
        const due = [...timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
        if (!due) break;
        now = Math.max(now, due[1].at);
        timers.delete(due[0]);
        due[1].run();
      }
      now = end;
    },
  };
}

/** The tabs of one user, and what the server answered them. */
function user(tabs, { limit, document = {} } = {}) {
  const clock = madeClock();
  const server = createFakeTurnout(limit ? { clock, limit } : { clock });
  const answered = [];
  let refused = 0;
  server.decide(document);
  const asking = async (tab, url, init) => {
    if (!String(url).includes('/v1/feeds/')) return server.fetch(url, init);
    const used = () => answered.filter(({ at }) => at > clock.now() - WINDOW_MS);
    const headers = (left, free) => ({
      'RateLimit-Policy': '"feed";q=60;w=60',
      RateLimit: `"feed";r=${left};t=${free}`,
      'Turnout-Time': String(clock.now()),
    });
    const before = used();
    if (before.length >= QUOTA) {
      refused += 1;
      const free = Math.ceil((before[0].at + WINDOW_MS - clock.now()) / 1000);
      return new Response('{"code":"quota-exceeded"}', {
        status: 429,
        headers: { ...headers(0, free), 'Retry-After': String(free) },
      });
    }
    answered.push({ at: clock.now(), tab });
    const left = QUOTA - before.length - 1;
    const answer = await server.fetch(url, init);
    for (const [name, value] of Object.entries(headers(left, left > 0 ? 0 : 1))) answer.headers.set(name, value);
    return answer;
  };
  const clients = Array.from({ length: tabs }, (_, tab) =>
    createTurnoutClient({
      baseUrl: 'https://turnout.example',
      flag: 'build',
      stream: 'b-1',
      auth: () => 'a session',
      clock,
      fetch: (url, init) => asking(tab, url, init),
    }),
  );
  return {
    clock,
    server,
    clients,
    get refused() {
      return refused;
    },
    /** The most answers in any minute. */
    most: () =>
      Math.max(
        0,
        ...answered.map(({ at: from }) => answered.filter(({ at }) => at >= from && at < from + WINDOW_MS).length),
      ),
    /** The longest time in which one tab had no answer. */
    longestGap: () =>
      Math.max(
        ...clients.map((_, tab) => {
          const times = answered.filter((one) => one.tab === tab).map(({ at }) => at);
          return Math.max(...times.slice(1).map((at, n) => at - times[n]));
        }),
      ),
  };
}

let published = 0;
const some = (count) => Array.from({ length: count }, () => `e${published++}`);

/** Five active tabs of a user, for ten minutes. */
export async function fiveTabs(minutes) {
  const all = user(5);
  for (const client of all.clients) {
    client.start();
    await all.clock.run(700);
  }
  for (let second = 0; second < minutes * 60; second += 1) {
    all.server.publish(...some(1));
    await all.clock.run(1000);
  }
  const result = { tabs: 5, minutes, refused: all.refused, longestGapMs: all.longestGap(), mostInAMinute: all.most() };
  await Promise.all(all.clients.map((client) => client.stop()));
  return result;
}

/** The most feed answers of one tab in any minute, in each mode. */
export async function mostInAMinute(minutes) {
  const realtime = {
    kind: 'sse',
    tokenUrl: '/v1/token',
    tokenTtlMs: 600_000,
    retryMs: [2000, 4000, 8000, 16_000, 32_000],
    connectMs: 10_000,
    fallbackMs: 300_000,
  };
  const polling = { startMs: 4000, minMs: 3000, maxMs: 15_000, factor: 1.5, dedupeMs: 2000, limit: 50, waitMs: 25_000 };
  const down = (part) => (server) => {
    server.fault = ({ path }) => (path.includes(part) ? new Response('{}', { status: 503 }) : undefined);
  };
  const table = {
    'idle polls': [{}, 0],
    'active polls': [{}, 1],
    'held polls, idle': [{ document: { polling } }, 0],
    'held polls, active': [{ document: { polling } }, 1],
    'a drain of 1000 pages': [{ limit: 1 }, 0, (server) => server.publish(...some(1000))],
    live: [{ document: { strategy: 'realtime-v2', realtime } }, 1],
    'realtime is down': [{ document: { strategy: 'realtime-v2', realtime } }, 1, down('/realtime/')],
    'tokens are down': [{ document: { strategy: 'realtime-v2', realtime } }, 1, down('/token')],
  };
  const result = {};
  for (const [name, [of, everySecond, prepare]] of Object.entries(table)) {
    const one = user(1, of);
    prepare?.(one.server);
    one.clients[0].start();
    for (let second = 0; second < minutes * 60; second += 1) {
      if (everySecond) one.server.publish(...some(1));
      // The user looks again and again.
      if (second % 7 === 0) one.clients[0].refresh();
      await one.clock.run(1000);
    }
    await one.clients[0].stop();
    result[name] = {
      most: one.most(),
      refused: one.refused,
      timersLeft: one.clock.pending,
      openLeft: one.server.open + one.server.held,
    };
  }
  return result;
}
