// What a real browser shows of the real program, and when.

import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../../../tests/support/turnout.mjs';
import { flag, stage } from '../page/browser.mjs';

export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] * 10) / 10;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

const becomes = (tab, mode) => until(`the page to be ${mode}`, async () => (await tab.mode()) === mode);

/** From the moment a publish is sent to the moment its event is in the page. */
export async function publishToRendered(after, count) {
  const result = {};
  for (const [name, share, gapMs] of [
    ['realtime', 100, 30],
    ['polling, active, interval 2000 ms', 0, 211],
  ]) {
    const set = await stage(after, flag(share, { start: 2 }));
    await set.publish();
    const tab = await set.open();
    await becomes(tab, share ? 'live' : 'polling');
    await until('the first event', async () => (await tab.ids()).length === 1);
    const began = [];
    for (let n = 0; n < count; n += 1) {
      began.push(await set.publish());
      await pause(gapMs);
    }
    await until('every event', async () => (await tab.ids()).length >= Math.min(1000, set.ids.length));
    const rendered = new Map(await tab.page.evaluate(() => window.rendered));
    result[name] = spread(began.map((at, n) => rendered.get(`e${n + 1}`) - at));
    await tab.page.close();
  }
  return result;
}

/** How long after `began` the newest event was in the page. */
async function shownAfter(set, tab, began) {
  const id = set.ids.at(-1);
  const find = (id) => window.rendered.find(([one]) => one === id)?.[1];
  return (await until('the event', () => tab.page.evaluate(find, id))) - began;
}

/** From the moment an operator's stop is sent: the stream is closed, the mode is polling, a poll is sent, a new event is in the page. */
export async function stopToPolling(after, rounds) {
  const set = await stage(after, flag(100));
  await set.publish();
  const tab = await set.open();
  const times = {
    streamClosed: [],
    modePolling: [],
    firstPoll: [],
    eventAcrossTheStop: [],
    eventAfterTheStop: [],
    resumeToLive: [],
    firstEventLive: [],
  };
  let ends = () => {};
  let polls = () => {};
  tab.page.on(
    'request',
    (request) => request.method() === 'GET' && request.url().includes('/v1/feeds/') && polls(Date.now()),
  );
  const over = (request) => request.url().includes('/v1/realtime/') && ends(Date.now());
  tab.page.on('requestfinished', over);
  tab.page.on('requestfailed', over);
  for (let n = 0; n < rounds; n += 1) {
    await becomes(tab, 'live');
    // As before the one stop of a day: of the user's 60 answers a minute, the rounds before took less than half.
    await pause(5500);
    const closed = new Promise((resolve) => (ends = resolve));
    const polled = new Promise((resolve) => (polls = resolve));
    const began = Date.now();
    // Published when it is about to go from one transport to the other.
    const crossing = set.publish();
    const stopping = set.server.order('/v1/flags/build/stop', { reason: 'a measure' });
    times.streamClosed.push((await closed) - began);
    await stopping;
    times.firstPoll.push((await polled) - began);
    times.eventAcrossTheStop.push(await shownAfter(set, tab, await crossing));
    times.eventAfterTheStop.push(await shownAfter(set, tab, await set.publish()));
    const modes = await tab.page.evaluate(() => window.modes);
    times.modePolling.push(modes.findLast(([mode]) => mode === 'polling')[1] - began);
    const resumed = Date.now();
    await set.server.order('/v1/flags/build/resume', { reason: 'a measure' });
    await becomes(tab, 'live');
    times.resumeToLive.push(Date.now() - resumed);
    times.firstEventLive.push(await shownAfter(set, tab, await set.publish()));
  }
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, spread(values)]));
}

/** What is left of a client in a page after its last hook is gone. */
export async function leftAfterStop(after) {
  const result = {};
  for (const [name, share] of [
    ['live', 100],
    ['polling', 0],
  ]) {
    const set = await stage(after, flag(share));
    await set.publish();
    const tab = await set.open({
      before: () => {
        // React has timers and listeners of its own: only those that stand are counted, of what a client uses.
        const kinds = ['visibilitychange', 'online', 'pagehide', 'pageshow'];
        const standing = { timers: new Set(), listeners: 0, requests: 0 };
        const { setTimeout: set, clearTimeout: clear, fetch: ask } = window;
        window.setTimeout = (run, ms, ...rest) => {
          const timer = set(() => (standing.timers.delete(timer), run(...rest)), ms);
          standing.timers.add(timer);
          return timer;
        };
        window.clearTimeout = (timer) => (standing.timers.delete(timer), clear(timer));
        for (const target of [window, document]) {
          const { addEventListener: add, removeEventListener: remove } = target;
          target.addEventListener = (kind, run, options) => {
            if (kinds.includes(kind)) {
              standing.listeners += 1;
              options?.signal?.addEventListener('abort', () => (standing.listeners -= 1));
            }
            return add.call(target, kind, run, options);
          };
          target.removeEventListener = (kind, run, options) => {
            if (kinds.includes(kind)) standing.listeners -= 1;
            return remove.call(target, kind, run, options);
          };
        }
        window.fetch = async (...asked) => {
          standing.requests += 1;
          try {
            const answer = await ask(...asked);
            if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) return answer;
            // A stream is open until its reader is done.
            standing.requests += 1;
            const reader = answer.body.getReader();
            const done = () => (standing.requests -= 1);
            reader.closed.then(done, done);
            return new Response(
              new ReadableStream({
                pull: async (to) => {
                  const { value, done } = await reader.read().catch(() => ({ done: true }));
                  if (done) to.close();
                  else to.enqueue(value);
                },
                cancel: () => reader.cancel(),
              }),
              { headers: answer.headers },
            );
          } finally {
            standing.requests -= 1;
          }
        };
        window.standing = () => ({ ...standing, timers: standing.timers.size });
      },
    });
    await becomes(tab, name);
    await until('the first event', async () => (await tab.ids()).length === 1);
    const running = await tab.page.evaluate(() => window.standing());
    await tab.page.evaluate(() => window.leave());
    const nothing = ({ timers, listeners, requests }) => timers + listeners + requests === 0;
    await pause(1000);
    const stopped = await tab.page.evaluate(() => window.standing());
    result[name] = { running, stopped, isNothing: nothing(stopped), streamsAtTheServer: await set.streams() };
    await tab.page.close();
  }
  return result;
}
