// What docs/CLIENTS.md shows of examples/clients/ for pages, in a real browser.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { until } from '../support/turnout.mjs';
import { open, page_server } from './page.mjs';
import { serve, token } from './turnout.mjs';

const FLAG = `version: 1
flag: build-events
enabled: true
default: polling
when_stopped: polling
rollout: { realtime-v2: 100% }
`;

for (const [name, call] of [
  ['sixteen.js', 'followStrategy(base, token, (doc) => told.push(doc.strategy))'],
  ['ofrep.js', "followStrategy(base, token, 'u-1', (strategy) => told.push(strategy))"],
]) {
  test(`${name} tells the strategy, and each change of it`, async (t) => {
    const origin = await page_server(t);
    const turnout = await serve(t, origin, { 'build-events': FLAG }, { TURNOUT_UNVERIFIED: 'deny' });
    const page = await open(t, origin);
    const shown = await readFile(new URL(`../../examples/clients/${name}`, import.meta.url), 'utf8');
    await page.evaluate(() => (window.told = []));
    await page.addScriptTag({
      type: 'module',
      content: `${shown}\nconst base = ${JSON.stringify(turnout.url)}, token = ${JSON.stringify(token({ sub: 'u-1' }))};\n${call};`,
    });
    const becomes = (strategy) =>
      until(`the page to hear of ${strategy}`, async () => (await page.evaluate(() => window.told)).at(-1) === strategy);
    await becomes('realtime-v2');
    await turnout.order('/v1/flags/build-events/stop', {});
    await becomes('polling');
    await turnout.order('/v1/flags/build-events/resume', { reason: 'fixed' });
    await becomes('realtime-v2');
    assert.ok((await page.evaluate(() => window.told)).length >= 3);
  });
}
