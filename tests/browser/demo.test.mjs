// The page of `turnout demo` in a real browser: twenty clients on both tracks move as commands are typed; nothing is wrong with the
// page for axe-core, in both schemes and at two widths. PICTURES=folder keeps what it looked like.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { BINARY, until } from '../support/turnout.mjs';
import { open } from './page.mjs';

const AXE = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const run = promisify(execFile);

/** A demo in a folder for temporary files of its own, and what ends it. */
async function start(t) {
  const temporary = await mkdtemp(join(tmpdir(), 'turnout-test-'));
  const child = spawn(BINARY, ['demo'], { env: { TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await rm(temporary, { recursive: true, force: true });
  });
  const lines = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line.startsWith('Ctrl-C')) break;
  }
  const data = lines.map((line) => /TURNOUT_DATA=(\S+)/.exec(line)?.[1]).find(Boolean);
  return {
    url: lines.map((line) => line.trim()).find((line) => line.startsWith('http://')),
    type: (...words) => run(BINARY, [...words, '--data', data]),
    async end() {
      child.kill('SIGINT');
      assert.deepEqual(await ended, [0, null]);
      assert.deepEqual(await readdir(temporary), []);
    },
  };
}

test('twenty clients move as commands are typed', async (t) => {
  const demo = await start(t);
  const page = await open(t, 'about:blank');
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => {
    // A stop closes a stream at once; the acknowledgement of its last message may find it gone.
    const isLate = message.location().url.endsWith('/v1/watch/ack');
    if (message.type() === 'error' && !isLate) wrong.push(message.text());
  });
  await page.goto(demo.url);
  const count = async (id) => Number(await page.textContent(`#${id}-count`));
  const counts = async () => [await count('live'), await count('polling')];
  const shows = (live, polling) =>
    until(`${live} clients in realtime and ${polling} polling`, async () => String(await counts()) === `${live},${polling}`);
  const latencies = () => page.locator('#clients .took').allTextContents();

  await shows(10, 10);
  await until('each client to have an event', async () => (await latencies()).every((text) => text.startsWith('after')));
  if (process.env.PICTURES) await page.waitForTimeout(45_000);
  for (const width of [360, 1280]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      if (process.env.PICTURES) {
        await page.screenshot({ path: join(process.env.PICTURES, `demo-${width}-${colorScheme}.png`), fullPage: true });
      }
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `it is wider than ${width}`);
      // As the debugger does it: the page's own policy allows no foreign script.
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(' ')}`);
      assert.deepEqual(told, [], `${width} ${colorScheme}`);
    }
  }

  await demo.type('stop', 'build-events');
  await shows(0, 20);
  await demo.type('resume', 'build-events', '--at', '50%', '--reason', 'fixed');
  await shows(10, 10);
  await demo.type('set', 'build-events', '100%', '--reason', 'trial');
  await shows(20, 0);
  await demo.type('rollback', 'build-events');
  await shows(10, 10);
  assert.match(await page.textContent('#summary'), /10 clients are now polling/);
  if (process.env.PICTURES) {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.screenshot({ path: join(process.env.PICTURES, 'demo.png'), clip: { x: 0, y: 0, width: 1280, height: 900 } });
  }
  assert.deepEqual(wrong, []);
  assert.equal(await page.isVisible('#gone'), false);
  await demo.end();
  // Polls of all clients fail within their longest wait.
  await until('the page to say that the demo ended', () => page.isVisible('#gone'));
});
