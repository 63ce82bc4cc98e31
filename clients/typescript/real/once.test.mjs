// The client against the real program, behind a proxy that breaks what passes, while the program is restarted and killed.

import { setTimeout as pause } from 'node:timers/promises';
import { createTurnoutClient } from 'turnout-client';
import { expect, onTestFinished, test } from 'vitest';
import { SERVER_KEY, serve, token } from '../../../tests/browser/turnout.mjs';
import { until } from '../../../tests/support/turnout.mjs';
import { faultProxy } from './fault_proxy.mjs';

const USERS = 24;
const FAULTS = 400;
const KINDS = ['500', '429', 'reset', 'cut', 'late', 'again'];
const FLAG = `version: 1
flag: build
salt: build
enabled: true
when_stopped: polling
default: polling
transports:
  polling: { start: 1s, min: 1s, max: 2s, factor: 1.5, dedupe: 1s, limit: 7 }
`;

for (const seed of (process.env.TURNOUT_SEEDS ?? '1').split(' ').map(Number)) {
  test(`seed ${seed}: ${USERS} users, ${FAULTS} faults, two kills and a restart: each event once, in order`, async () => {
    let state = seed;
    const roll = () => {
      state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
      return state / 4_294_967_296;
    };
    const server = await serve({ after: onTestFinished }, 'http://page.example', { build: FLAG });
    let breaking = true;
    const fault = () => (breaking && roll() < 0.5 ? KINDS[Math.floor(roll() * KINDS.length)] : null);
    const proxy = await faultProxy(server.url, /^\/v1\/feeds\//, fault);
    onTestFinished(() => proxy.close());

    const published = [];
    /** Until it is durable: the same ids are taken once, however often they are sent. */
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
      const ids = [];
      const resets = [];
      const client = createTurnoutClient({
        baseUrl: proxy.url,
        flag: 'build',
        stream: 'b-1',
        auth: () => token({ sub: `u-${n}` }),
      });
      client.on('events', (events) => ids.push(...events.map((event) => event.id)));
      client.on('reset', ({ cursor }) => resets.push(cursor));
      client.start();
      return { client, ids, resets };
    });

    const ends = [() => server.kill(), () => server.end(), () => server.kill()];
    let next = FAULTS / 4;
    while (proxy.broken < FAULTS) {
      await publish(1 + Math.floor(roll() * 9));
      if (proxy.broken >= next) {
        next += FAULTS / 4;
        const end = ends.shift();
        if (end) await end();
        if (end) await server.again();
      }
      await pause(roll() * 200);
    }
    breaking = false;
    await until('every user to have every event', () => readers.every(({ ids }) => ids.length >= published.length));
    for (const { ids, resets } of readers) {
      expect(ids).toEqual(published);
      expect(resets).toEqual([]);
    }
    await Promise.all(readers.map(({ client }) => client.stop()));
  }, 180_000);
}
