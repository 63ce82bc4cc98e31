// The client against the real program on both tracks: the rollout is opened and stopped again and again, behind a proxy that breaks
// what passes, while the program is killed.

import { appendFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { createTurnoutClient } from 'turnout-client';
import { test } from 'vitest';
import { SERVER_KEY, serve, token } from '../../../tests/browser/turnout.mjs';
import { until } from '../../../tests/support/turnout.mjs';
import { faultProxy } from './fault_proxy.mjs';

const USERS = 8;
/** Switches and faults together. */
const CHANGES = Number(process.env.TURNOUT_CHANGES ?? 400);
const KINDS = ['500', '429', 'reset', 'cut', 'late', 'again'];
const FLAG = `version: 1
flag: build
salt: build
enabled: true
when_stopped: polling
default: polling
rollout: { realtime-v2: 100% }
transports:
  polling: { start: 1s, min: 1s, max: 2s, factor: 1.5, dedupe: 1s, limit: 7 }
  realtime-v2: { kind: sse, retry: [1s, 1s, 2s, 2s, 4s] }
`;

for (const seed of (process.env.TURNOUT_SEEDS ?? '1 2 3').split(' ').map(Number)) {
  const name = `seed ${seed}: ${USERS} users, ${CHANGES} switches and faults, and a kill: each event once, in order`;
  // Beside each other: nearly all of their time is waiting.
  test.concurrent(name, { timeout: 300_000 }, async ({ expect, onTestFinished }) => {
    let state = seed;
    const roll = () => {
      state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
      return state / 4_294_967_296;
    };
    const server = await serve({ after: onTestFinished }, 'http://page.example', { build: FLAG });
    let breaking = true;
    const fault = () => (breaking && roll() < 0.4 ? KINDS[Math.floor(roll() * KINDS.length)] : null);
    const proxy = await faultProxy(server.url, /^\/v1\/(feeds|realtime|token)/, fault);
    onTestFinished(() => proxy.close());

    const published = [];
    async function publish(count) {
      const events = Array.from({ length: count }, (_, n) => ({
        id: `e${published.length + n}`,
        type: 'step',
        data: { n },
      }));
      await until('a publish to be durable', () =>
        fetch(`${server.url}/v1/feeds/build/b-1`, {
          method: 'POST',
          headers: { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' },
          body: JSON.stringify({ readers: 'verified', events }),
        }).then(
          (answer) => answer.ok,
          () => false,
        ),
      );
      published.push(...events.map((event) => event.id));
    }
    await publish(30);

    const readers = Array.from({ length: USERS }, (_, n) => {
      const reader = { ids: [], resets: [], modes: [] };
      const client = createTurnoutClient({
        baseUrl: proxy.url,
        flag: 'build',
        stream: 'b-1',
        auth: () => token({ sub: `u-${n}` }),
      });
      client.on('events', (events) => reader.ids.push(...events.map((event) => event.id)));
      client.on('reset', ({ cursor }) => reader.resets.push(cursor));
      client.subscribe(() => reader.modes.push(client.getSnapshot().mode));
      client.start();
      return Object.assign(reader, { client });
    });
    await until('a user to be live', () => readers.some(({ modes }) => modes.includes('live')));

    let killed = false;
    let done = 0;
    while (done + proxy.broken < CHANGES) {
      await server.order(`/v1/flags/build/${done % 2 ? 'resume' : 'stop'}`, { reason: 'to and fro' });
      done += 1;
      await publish(1 + Math.floor(roll() * 5));
      await pause(100 + roll() * 900);
      if (!killed && done + proxy.broken > CHANGES / 2) {
        killed = true;
        await server.kill();
        await server.again();
      }
    }
    if (done % 2) await server.order('/v1/flags/build/resume', { reason: 'to and fro' });
    breaking = false;
    await publish(5);
    await until('every user to have every event', () => readers.every(({ ids }) => ids.length >= published.length));
    for (const { ids, resets } of readers) {
      expect(ids).toEqual(published);
      expect(resets).toEqual([]);
    }
    expect(done).toBeGreaterThan(CHANGES / 20);
    await until('every user to have been live', () => readers.every(({ modes }) => modes.includes('live')));
    const { TURNOUT_RESULTS: results } = process.env;
    const events = published.length;
    if (results)
      await appendFile(results, `${JSON.stringify({ seed, switches: done, faults: proxy.broken, events })}\n`);
    await Promise.all(readers.map(({ client }) => client.stop()));
  });
}
