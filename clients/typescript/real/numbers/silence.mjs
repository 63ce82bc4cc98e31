// How long the feed is silent while realtime, or the endpoint of tokens, is down: against the real program, behind a proxy that refuses.

import { setTimeout as pause } from 'node:timers/promises';
import { createTurnoutClient } from 'turnout-client';
import { SERVER_KEY, serve, token } from '../../../../tests/browser/turnout.mjs';
import { faultProxy } from '../fault_proxy.mjs';
import { flag } from '../page/browser.mjs';

const START_MS = 1000;

export async function silence(after, seconds) {
  const cases = [
    ['realtime is down', /^\/v1\/realtime/],
    ['tokens are down', /^\/v1\/token/],
  ].flatMap(([name, path]) => [0, 2000].map((spreadMs) => [`${name}, spread ${spreadMs} ms`, path, spreadMs]));
  const measured = cases.map(async ([name, path, spreadMs]) => [name, await one(after, path, spreadMs, seconds)]);
  return Object.fromEntries(await Promise.all(measured));
}

async function one(after, path, spreadMs, seconds) {
  const yaml = flag(100, { client: `{ enter_spread: ${spreadMs / 1000}s }` });
  const server = await serve({ after }, 'http://page.example', { build: yaml });
  const proxy = await faultProxy(server.url, path, () => '500');
  await fetch(`${server.url}/v1/feeds/build/b-1`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ readers: 'verified', events: [] }),
  });
  const session = token({ sub: 'u-1' });
  const answers = [];
  const client = createTurnoutClient({
    baseUrl: proxy.url,
    flag: 'build',
    stream: 'b-1',
    auth: () => session,
    fetch: async (url, init) => {
      const answer = await fetch(url, init);
      // Once the waits of realtime are spent it polls as others do, which is no silence.
      const { mode } = client.getSnapshot();
      if (String(url).includes('/v1/feeds/') && mode !== 'degraded') answers.push(Date.now());
      return answer;
    },
  });
  client.start();
  await pause(seconds * 1000);
  await client.stop();
  await proxy.close();
  const longestMs = Math.max(...answers.slice(1).map((at, n) => at - answers[n]));
  return {
    longestMs,
    barMs: START_MS + spreadMs + 1000,
    answers: answers.length,
  };
}
