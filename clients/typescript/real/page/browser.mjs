// A page of the packages in a real browser, on an origin of its own, against the real program on another.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { SERVER_KEY, serve, token } from '../../../../tests/browser/turnout.mjs';
import { BINARY } from '../../../../tests/support/turnout.mjs';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A flag whose users are all in realtime, or all on polls. `start` is the first wait between two polls, in seconds. */
export function flag(share, { start = 1, client = '{ enter_spread: 0s }' } = {}) {
  return `version: 1
flag: build
salt: build
enabled: true
when_stopped: polling
default: polling
rollout: { realtime-v2: ${share}% }
client: ${client}
transports:
  polling: { start: ${start}s, min: 1s, max: ${2 * start}s, factor: 1.5, dedupe: 500ms }
`;
}

/** An origin with one page; `html` is what was rendered before. */
async function origin(after, given) {
  const made = await build({
    entryPoints: [at('entry.jsx')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    alias: {
      'turnout-client': at('../../packages/turnout-client/src/index.ts'),
      'turnout-react': at('../../packages/turnout-react/src/index.ts'),
    },
  });
  const server = createServer((request, response) => {
    if (request.url === '/entry.js')
      return response.setHeader('content-type', 'text/javascript').end(made.outputFiles[0].text);
    if (request.url === '/elsewhere') return response.setHeader('content-type', 'text/html').end('<!doctype html>');
    const { html = '', ...rest } = given();
    const json = JSON.stringify(rest).replaceAll('<', '\\u003c');
    response
      .setHeader('content-type', 'text/html')
      .end(`<!doctype html><title>page</title><link rel="icon" href="data:,">
<div id="root">${html}</div><script type="application/json" id="given">${json}</script>
<script type="module" src="/entry.js"></script>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** The program, a browser and a page. `html(props)` renders the page before it is sent. */
export async function stage(after, yaml, { html, user = 'u-1', args = [] } = {}) {
  let props;
  const url = await origin(after, () => (html ? { props, hydrates: true, html: html(props) } : { props }));
  const server = await serve({ after }, url, { build: yaml });
  const person = (name) => ({ name, session: token({ sub: name }) });
  props = { options: { baseUrl: server.url }, first: person(user) };
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', ...args],
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  });
  after(() => browser.close());
  const context = await browser.newContext();
  let published = 0;
  return {
    server,
    context,
    props,
    person,
    /** Ids of everything that was published. */
    get ids() {
      return Array.from({ length: published }, (_, n) => `e${n}`);
    },
    /** Publishes `count` events; returns when it began to. */
    async publish(count = 1) {
      const events = Array.from({ length: count }, (_, n) => ({ id: `e${published + n}`, type: 'step', data: {} }));
      published += count;
      const began = Date.now();
      const answer = await fetch(`${server.url}/v1/feeds/build/b-1`, {
        method: 'POST',
        headers: { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ readers: 'verified', events }),
      });
      if (!answer.ok) throw new Error(`a publish was answered ${answer.status}`);
      return began;
    },
    /** A new page, what its console says amiss, and what it asks of the program. `clock`: its time can be moved. */
    async open({ clock = false, before } = {}) {
      const page = await context.newPage();
      const complaints = [];
      const asked = [];
      page.on(
        'console',
        (line) =>
          ['error', 'warning'].includes(line.type()) && complaints.push(`${line.text()} ${line.location().url}`),
      );
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('request', (request) => {
        if (!request.url().startsWith(server.url) || request.method() === 'OPTIONS') return;
        const { pathname } = new URL(request.url());
        asked.push({ path: pathname, credential: request.headers().authorization });
      });
      if (before) await page.addInitScript(before);
      if (clock) await page.clock.install();
      await page.goto(url);
      return {
        page,
        complaints,
        asked,
        url,
        mode: () => page.evaluate(() => document.getElementById('mode')?.textContent),
        ids: () => page.evaluate(() => [...document.querySelectorAll('li')].map((one) => one.textContent)),
        /** What a tab says when it is hidden, or shown again. */
        look: (state) =>
          page.evaluate((state) => {
            Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
          }, state),
      };
    },
    /** The operator's command line. */
    turnout: (...words) => promisify(execFile)(BINARY, words, { cwd: server.home, env: {} }),
    data: join(server.home, 'data'),
    streams: async () => (await server.look('/v1/status')).streams.open,
  };
}
