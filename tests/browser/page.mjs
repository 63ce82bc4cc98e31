// A page of an origin of its own, in a real browser.

import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** What a page may import: the packages as npm has them, without a bundler. */
const MODULES = {
  '@openfeature/core': '/@openfeature/core/dist/esm/index.js',
  '@openfeature/web-sdk': '/@openfeature/web-sdk/dist/esm/index.js',
  '@openfeature/ofrep-core': '/@openfeature/ofrep-core/index.esm.js',
  '@openfeature/ofrep-web-provider': '/@openfeature/ofrep-web-provider/index.esm.js',
};
const PAGE = `<!doctype html><title>page</title><script type="importmap">${JSON.stringify({ imports: MODULES })}</script>`;

/** An origin: an empty page, and the modules it may import. */
export async function page_server(t) {
  const server = createServer(async (request, response) => {
    if (!Object.values(MODULES).includes(request.url)) return response.setHeader('content-type', 'text/html').end(PAGE);
    const script = await readFile(new URL(`node_modules${request.url}`, import.meta.url));
    return response.setHeader('content-type', 'text/javascript').end(script);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** A page of `origin` in a fresh browser. */
export async function open(t, origin) {
  const profile = await mkdtemp(join(tmpdir(), 'turnout-profile-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  t.after(async () => {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
  });
  const page = await browser.newPage();
  await page.goto(origin);
  return page;
}
