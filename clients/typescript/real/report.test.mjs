// What clients report stands in the metrics of the real program: their polls and latencies, by the strategy that it knows.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTurnoutClient } from 'turnout-client';
import { expect, onTestFinished, test } from 'vitest';
import { SERVER_KEY, serve, token } from '../../../tests/browser/turnout.mjs';
import { until } from '../../../tests/support/turnout.mjs';

const FLAG = `version: 1
flag: build
enabled: true
when_stopped: polling
default: polling
allow: [{ users: [u-live], strategy: realtime-v2 }]
client: { enter_spread: 0s }
transports:
  polling: { start: 1s, min: 1s, max: 2s, factor: 1.5, dedupe: 1s }
`;

test('polls, latencies and complaints of two users are counted as the clients saw them', async () => {
  const server = await serve({ after: onTestFinished }, 'http://page.example', { build: FLAG });
  const publish = (id) =>
    fetch(`${server.url}/v1/feeds/build/b-1`, {
      method: 'POST',
      headers: { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ readers: 'verified', events: [{ id, type: 'step', data: {} }] }),
    });
  await publish('e-0');

  const users = ['u-1', 'u-live'].map((sub) => {
    const session = token({ sub });
    const counted = { polls: 0, sent: [] };
    const client = createTurnoutClient({
      baseUrl: server.url,
      flag: 'build',
      stream: 'b-1',
      auth: () => session,
      fetch: async (url, init) => {
        if (String(url).endsWith('/v1/reports')) counted.sent.push(init.body);
        const answer = await fetch(url, init);
        if (String(url).includes('/v1/feeds/') && (answer.ok || answer.status === 304)) counted.polls += 1;
        return answer;
      },
    });
    const ids = [];
    client.on('events', (events) => ids.push(...events.map((event) => event.id)));
    client.start();
    return { client, ids, counted, sub };
  });
  const all = (count) => () => users.every(({ ids }) => ids.length >= count);
  await until('the first event', all(1));
  await until('the one to be live', () => users[1].client.getSnapshot().mode === 'live');
  await publish('e-1');
  await until('the second event', all(2));
  await publish('e-2');
  await until('the third event', all(3));
  users[0].client.complain();
  await until('the complaint to be sent', () => users[0].counted.sent.length > 0);
  await Promise.all(users.map(({ client }) => client.stop()));

  const admin = await readFile(join(server.home, 'data', 'admin.token'), 'utf8');
  const headers = { authorization: `Bearer ${admin.trim()}` };
  const page = await fetch(`${server.adminUrl}/metrics`, { headers }).then((answer) => answer.text());
  const number = (name, strategy) => {
    const row = `${name}{flag="build",strategy="${strategy}"} `;
    return Number(
      page
        .split('\n')
        .find((line) => line.startsWith(row))
        ?.slice(row.length) ?? 0,
    );
  };
  for (const [strategy, { counted, sub }] of [
    ['polling', users[0]],
    ['realtime-v2', users[1]],
  ]) {
    const reported = counted.sent.flatMap((body) => JSON.parse(body).flags);
    const success = reported.reduce((sum, { poll }) => sum + poll.success, 0);
    // The first poll may be over before it is known where to report.
    expect(success).toBeGreaterThanOrEqual(counted.polls - 1);
    // A user in realtime may have polled once, before it entered.
    if (strategy === 'polling') expect(success).toBeGreaterThan(0);
    expect(number('build_poll_success_total', strategy)).toBe(success);
    const latencies = number('perceived_latency_ms_count', strategy);
    // The one in realtime knows the server's clock by its token.
    expect(latencies).toBe(2);
    expect(number('perceived_latency_ms_sum', strategy)).toBeLessThan(10_000);
    expect(number('turnout_complaints_total', strategy)).toBe(strategy === 'polling' ? 1 : 0);
    expect(counted.sent.join()).not.toContain(sub);
  }
  expect(page).not.toContain('u-1');
  expect(page).not.toContain('u-live');
  expect(page).toContain(
    `turnout_client_reports_total{outcome="counted"} ${users.flatMap((user) => user.counted.sent).length}`,
  );
}, 60_000);
