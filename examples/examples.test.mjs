// The applications of this folder, built and run as docs/CLIENTS.md says, with the real server and a real browser: what is published is
// there live, a stop is there too, and no page says that anything is wrong. The packages of tests/browser are used.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { open } from '../tests/browser/page.mjs';
import { SERVER_KEY, serve } from '../tests/browser/turnout.mjs';
import { until } from '../tests/support/turnout.mjs';

const FLAG = `version: 1
flag: build-events
enabled: true
default: polling
when_stopped: polling
rollout: { realtime-v2: 100% }
client: { enter_spread: 0s }
transports:
  polling: { start: 1s, min: 1s, max: 2s, dedupe: 1s }
`;

const folder = (name) => fileURLToPath(new URL(name, import.meta.url));
const APPLICATIONS = [
  { name: 'react', serve: ['npx', 'vite', 'preview', '--host', '127.0.0.1', '--port', '0'] },
  { name: 'next', serve: ['npx', 'next', 'start', '--hostname', '127.0.0.1', '--port', '0'] },
];

let turnout;
const cleanup = [];
before(async () => {
  turnout = await serve({ after: (end) => cleanup.push(end) }, 'http://page.example', { 'build-events': FLAG }, { TURNOUT_PUBLIC_PATH: '/turnout' });
});
after(async () => {
  for (const end of cleanup) await end();
});

async function publish(stream, ...events) {
  const answer = await fetch(`${turnout.url}/v1/feeds/build-events/${stream}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ readers: ['u-1'], events }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Runs a command in an application's folder, with what docs/CLIENTS.md says that it needs. */
function run(name, [command, ...words], settings = { TURNOUT_KEY: SERVER_KEY }) {
  const { TURNOUT_KEY: _, ...own } = process.env;
  const env = { ...own, TURNOUT_URL: turnout.url, NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1', ...settings };
  return spawn(command, words, { cwd: folder(name), env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
}

async function build(name) {
  const child = run(name, ['npm', 'run', 'build']);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const [code] = await once(child, 'exit');
  assert.equal(code, 0, said);
}

/** Where the application listens, until the test ends. */
async function listens(t, { name, serve }, settings) {
  const child = run(name, serve, settings);
  const ended = once(child, 'exit');
  t.after(async () => {
    process.kill(-child.pid);
    await ended;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const found = /http:\/\/[^\s/]+:\d+/.exec(line);
    if (found) {
      child.stdout.resume();
      return found[0];
    }
  }
  throw new Error(`${name} did not say where it listens`);
}

test('each application shows events live, and polls once it is stopped', async (t) => {
  await publish('b-42', { id: 'e-1', type: 'build.started', data: { step: 0 } });
  await Promise.all(APPLICATIONS.map(({ name }) => build(name)));
  let step = 0;
  for (const application of APPLICATIONS) {
    const url = await listens(t, application);
    const page = await open(t, 'about:blank');
    const wrong = [];
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (message) => {
      // A stop closes a stream at once; the acknowledgement of its last message may find it gone.
      const isLate = message.location().url.endsWith('/v1/watch/ack');
      if (['error', 'warning'].includes(message.type()) && !isLate) wrong.push(message.text());
    });
    await page.goto(url);
    const { name } = application;
    const status = (text) => until(`${name} to say ${text}`, async () => (await page.textContent('[role=status]').catch(() => ''))?.includes(text));
    const shows = async () => {
      step += 1;
      await publish('b-42', { id: `s-${step}`, type: 'build.step', data: { step } });
      await until(`step ${step} in ${name}`, async () => (await page.locator('li').allTextContents()).at(-1) === `build.step ${step}`);
    };
    await status('Live');
    await shows();
    assert.equal(await page.locator('li').first().textContent(), 'build.started 0', name);
    await turnout.order('/v1/flags/build-events/stop', {});
    await status('polling');
    await shows();
    assert.equal(await page.locator('li').count(), step + 1, `${name}: each event once`);
    await turnout.order('/v1/flags/build-events/resume', { reason: 'the next application' });
    assert.deepEqual(wrong, [], name);
  }
});

test('without its server key an application says so, in its answer and in its page', async (t) => {
  for (const [application, path] of APPLICATIONS.map((one, n) => [one, ['/session', '/api/session'][n]])) {
    const url = await listens(t, application, {});
    const answer = await fetch(`${url}${path}`, { method: 'POST' });
    assert.ok(answer.status >= 500, application.name);
    assert.match(await answer.text(), /TURNOUT_KEY is not set/, application.name);
    const page = await open(t, url);
    await page.getByText('Nothing is here yet: `auth` gave no session').waitFor();
  }
});

test('the first answer of Next.js knows the strategy', async (t) => {
  const url = await listens(t, APPLICATIONS[1]);
  assert.match(await (await fetch(url)).text(), /may use (<!-- -->)?realtime-v2/);
});
