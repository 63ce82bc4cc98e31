// Seven tabs of one real browser, over HTTP/1.1, which allows it six connections: they share three streams, and each gets every event.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { createFakeTurnout } from 'turnout-client/testing';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../../tests/support/turnout.mjs';
import { defaultDocument } from '../packages/turnout-client/src/defaults.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const TABS = 7;
const HEARTBEAT_MS = 5000;

const PAGE = `<!doctype html><title>page</title><script type="module">
import { createTurnoutClient } from '/client.js';
window.ids = [];
window.client = createTurnoutClient({ baseUrl: location.origin, flag: 'build', stream: 'b-1' });
client.on('events', (events) => ids.push(...events.map((event) => event.id)));
client.start();
</script>`;

/** The fake server on a socket, beside the page and the client. */
async function serve() {
  const fake = createFakeTurnout();
  const source = fileURLToPath(new URL('../packages/turnout-client/src/index.ts', import.meta.url));
  const made = await build({ entryPoints: [source], bundle: true, write: false, format: 'esm', target: 'es2022' });
  const server = createServer(async (request, response) => {
    if (request.url === '/') return response.setHeader('content-type', 'text/html').end(PAGE);
    if (request.url === '/client.js') {
      return response.setHeader('content-type', 'text/javascript').end(made.outputFiles[0].text);
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    try {
      const answer = await fake.fetch(new URL(request.url, 'http://fake'), {
        method: request.method,
        headers: new Headers(Object.entries(request.headers)),
        signal: gone.signal,
        ...(chunks.length > 0 ? { body: Buffer.concat(chunks).toString() } : {}),
      });
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      for await (const chunk of answer.body ?? []) response.write(chunk);
    } catch {
      // The page closed it.
    }
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const beats = setInterval(() => fake.send({ type: 'heartbeat' }), HEARTBEAT_MS);
  onTestFinished(() => {
    clearInterval(beats);
    server.closeAllConnections();
    server.close();
  });
  return { fake, origin: `http://127.0.0.1:${server.address().port}` };
}

async function openTabs(origin) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  onTestFinished(() => browser.close());
  const context = await browser.newContext();
  const tabs = [];
  const loaded = [];
  for (let n = 0; n < TABS; n += 1) {
    const page = await context.newPage();
    const began = performance.now();
    await page.goto(origin);
    loaded.push(performance.now() - began);
    tabs.push(page);
  }
  return { context, tabs, loaded };
}

const idsOf = (tabs) => Promise.all(tabs.map((page) => page.evaluate(() => window.ids)));
const modesOf = (tabs) => Promise.all(tabs.map((page) => page.evaluate(() => window.client.getSnapshot())));
const someIds = (count, from = 0) => Array.from({ length: count }, (_, n) => `e${from + n}`);

test.skipIf(!existsSync(CHROMIUM))(
  'seven tabs on realtime hold three streams, and each gets every event',
  async () => {
    const { fake, origin } = await serve();
    fake.publish(...someIds(5));
    fake.decide({ strategy: 'realtime-v2' });
    const { tabs, loaded } = await openTabs(origin);
    for (const ms of loaded) expect(ms).toBeLessThan(1000);
    await until(
      'three tabs to be live',
      async () => (await modesOf(tabs)).filter(({ mode }) => mode === 'live').length === 3,
    );
    await until('the others to know why they are not', async () => {
      const others = (await modesOf(tabs)).filter(({ mode }) => mode !== 'live');
      return others.every(({ mode, reason }) => mode === 'polling' && reason === 'tabs');
    });
    let most = 0;
    for (let wave = 1; wave <= 10; wave += 1) {
      fake.publish(...someIds(5, wave * 5));
      most = Math.max(most, fake.open);
      const [live] = (await modesOf(tabs)).flatMap(({ mode }, n) => (mode === 'live' ? [tabs[n]] : []));
      await until('a wave to arrive', async () => (await live.evaluate(() => window.ids.length)) >= wave * 5 + 5);
    }
    await until('each tab to have every event', async () => (await idsOf(tabs)).every((ids) => ids.length >= 55));
    for (const ids of await idsOf(tabs)) expect(ids).toEqual(someIds(55));
    expect(most).toBe(3);

    // A tab that closes gives its place to another.
    const live = (await modesOf(tabs)).findIndex(({ mode }) => mode === 'live');
    const [closed] = tabs.splice(live, 1);
    await closed.close();
    await until(
      'another tab to take its place',
      async () => (await modesOf(tabs)).filter(({ mode }) => mode === 'live').length === 3,
    );
    fake.decide({ strategy: 'polling' });
    await until('no stream to be open', () => fake.open === 0);
  },
  120_000,
);

test.skipIf(!existsSync(CHROMIUM))(
  'seven tabs whose polls are held have three of them held, and each gets every event',
  async () => {
    const { fake, origin } = await serve();
    const { polling } = defaultDocument('build');
    fake.decide({ polling: { ...polling, startMs: 1000, minMs: 1000, maxMs: 2000, dedupeMs: 500, waitMs: 20_000 } });
    const { tabs, loaded } = await openTabs(origin);
    for (const ms of loaded) expect(ms).toBeLessThan(1000);
    let most = 0;
    for (let wave = 0; wave < 5; wave += 1) {
      await until('three polls to be held', () => {
        most = Math.max(most, fake.held);
        return fake.held === 3;
      });
      fake.publish(...someIds(5, wave * 5));
      const all = wave * 5 + 5;
      await until('each tab to have every event', async () => (await idsOf(tabs)).every((ids) => ids.length >= all));
    }
    for (const ids of await idsOf(tabs)) expect(ids).toEqual(someIds(25));
    expect(most).toBe(3);
  },
  120_000,
);

test.skipIf(!existsSync(CHROMIUM))(
  'seven tabs that are disabled hold nothing, and poll again when they are let',
  async () => {
    const { fake, origin } = await serve();
    fake.decide({ strategy: 'disabled', validForMs: 1000 });
    const { context, tabs, loaded } = await openTabs(origin);
    for (const ms of loaded) expect(ms).toBeLessThan(1000);
    await until('all to be disabled', async () => (await modesOf(tabs)).every(({ mode }) => mode === 'disabled'));
    fake.publish(...someIds(5));
    fake.decide({ strategy: 'polling' });
    await until('each tab to have every event', async () => (await idsOf(tabs)).every((ids) => ids.length >= 5));
    expect(fake.open).toBe(0);

    // Offline, and online again: no storm, and nothing is lost.
    await context.setOffline(true);
    await until('the tabs to notice', async () => (await modesOf(tabs)).every(({ error }) => error !== null));
    fake.publish(...someIds(5, 5));
    const before = fake.seen.length;
    await context.setOffline(false);
    await until('each tab to have what it missed', async () => (await idsOf(tabs)).every((ids) => ids.length >= 10));
    for (const ids of await idsOf(tabs)) expect(ids).toEqual(someIds(10));
    expect(fake.seen.length - before).toBeLessThan(TABS * 8);
  },
  120_000,
);
