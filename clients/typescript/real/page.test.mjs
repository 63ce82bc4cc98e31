// What happens to a page in a real browser: it sleeps, is hidden, goes offline, is put aside, rendered on a server, and stopped.

import { existsSync } from 'node:fs';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../../tests/support/turnout.mjs';
import { App } from './page/app.jsx';
import { CHROMIUM, flag, stage } from './page/browser.mjs';

const REALTIME = flag(100);
const POLLING = flag(0);
const inBrowser = (name, run) => test.skipIf(!existsSync(CHROMIUM))(name, run, 120_000);
/** How many polls the page itself counts: a driver of browsers may miss what a page that was put aside asks first. */
const polls = (tab) =>
  tab.page.evaluate(
    () => performance.getEntriesByType('resource').filter(({ name }) => name.includes('/feeds/')).length,
  );
const on = (part, asked) => asked.filter(({ path }) => path.includes(part));

/** Until it shows everything that was published, once and in order. */
async function shows(set, tab) {
  await until('the page to show every event', async () => (await tab.ids()).length >= set.ids.length);
  expect(await tab.ids()).toEqual(set.ids);
}
const becomes = (tab, mode) => until(`the page to be ${mode}`, async () => (await tab.mode()) === mode);

inBrowser('a page in StrictMode opens one stream, and is rendered on a server without a warning', async () => {
  const set = await stage(onTestFinished, REALTIME, {
    html: (props) => renderToString(createElement(App, props)),
  });
  await set.publish(3);
  const strategy = await fetch(`${set.server.url}/v1/strategy/build`, {
    headers: { authorization: `Bearer ${set.props.first.session}` },
  });
  set.props.options.initialStrategy = await strategy.json();
  const tab = await set.open();
  await becomes(tab, 'live');
  await set.publish(3);
  await shows(set, tab);
  expect(on('/realtime/', tab.asked).length).toBe(1);
  expect(on('/token', tab.asked).length).toBe(1);
  expect(await set.streams()).toBe(1);
  expect(tab.complaints).toEqual([]);
  await tab.page.close();
  await until('the stream to be closed', async () => (await set.streams()) === 0);
});

inBrowser('a page that slept for an hour without a network has a new token before it connects', async () => {
  const set = await stage(onTestFinished, REALTIME);
  await set.publish(2);
  const tab = await set.open({ clock: true });
  await becomes(tab, 'live');
  await shows(set, tab);
  const first = on('/realtime/', tab.asked).at(-1).credential;
  await set.context.setOffline(true);
  await tab.page.clock.fastForward('01:00:00');
  await until('the stream to be closed', async () => (await set.streams()) === 0);
  await set.publish(20);
  const before = tab.asked.length;
  await set.context.setOffline(false);
  await becomes(tab, 'live');
  await shows(set, tab);
  const woken = tab.asked.slice(before).filter(({ path }) => /token|realtime/.test(path));
  expect(woken[0].path).toBe('/v1/token');
  expect(on('/token', woken).length).toBe(1);
  for (const { credential } of on('/realtime/', woken)) expect(credential).not.toBe(first);
  // No storm: what it asks again is its strategy, a token, a stream, and polls until that is live.
  expect(tab.asked.length - before).toBeLessThan(10);
  await set.publish(2);
  await shows(set, tab);
});

for (const [name, yaml] of [
  ['in realtime', REALTIME],
  ['on polls', POLLING],
]) {
  inBrowser(
    `a page ${name} that is hidden for ten minutes asks nothing, and is up to date within a second`,
    async () => {
      const set = await stage(onTestFinished, yaml);
      await set.publish(2);
      const tab = await set.open({ clock: true });
      await becomes(tab, name === 'in realtime' ? 'live' : 'polling');
      await shows(set, tab);
      await tab.look('hidden');
      // A stream is kept for a minute.
      await tab.page.clock.runFor(61_000);
      await until('the stream to be closed', async () => (await set.streams()) === 0);
      const before = tab.asked.length;
      await set.publish(20);
      await tab.page.clock.runFor(600_000);
      expect(tab.asked.slice(before).filter(({ path }) => !path.endsWith('/reports'))).toEqual([]);
      await tab.look('visible');
      const began = Date.now();
      await until('a poll', () => on('/feeds/', tab.asked.slice(before)).length > 0);
      expect(Date.now() - began).toBeLessThan(1000);
      await shows(set, tab);
      expect(tab.complaints).toEqual([]);
    },
  );

  inBrowser(`a page ${name} that was put aside and is shown again goes on where it stopped`, async () => {
    const set = await stage(onTestFinished, yaml);
    await set.publish(2);
    const tab = await set.open();
    await becomes(tab, name === 'in realtime' ? 'live' : 'polling');
    await shows(set, tab);
    const before = await polls(tab);
    await tab.page.evaluate(() => {
      window.isTheSame = true;
      window.addEventListener('pageshow', ({ persisted }) => {
        window.wasPersisted = persisted;
      });
    });
    await tab.page.goto(`${tab.url}/elsewhere`);
    await until('nothing of it to be open', async () => (await set.streams()) === 0);
    await set.publish(10);
    // Such a page is not loaded again.
    await tab.page.goBack({ waitUntil: 'commit' });
    expect(await tab.page.evaluate(() => [window.isTheSame, window.wasPersisted])).toEqual([true, true]);
    await shows(set, tab);
    // A stream whose token is still good may have brought everything before a poll was sent.
    if (name === 'on polls') await until('a poll', async () => (await polls(tab)) > before);
    await becomes(tab, name === 'in realtime' ? 'live' : 'polling');
    await set.publish(2);
    await shows(set, tab);
    expect(tab.complaints).toEqual([]);
  });
}

inBrowser(
  'another user in the same tab is shown nothing of the last one, and nothing of the last one is sent',
  async () => {
    const set = await stage(onTestFinished, REALTIME);
    await set.publish(3);
    const tab = await set.open();
    await becomes(tab, 'live');
    await shows(set, tab);
    const before = tab.asked.length;
    const last = set.props.first.session;
    const emptied = await tab.page.evaluate((user) => {
      window.signIn(user);
      return new Promise((resolve) => {
        const look = () => document.querySelectorAll('li').length === 0 && resolve(true);
        new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
      });
    }, set.person('u-2'));
    expect(emptied).toBe(true);
    // What was on its way before the change of users may have been an acknowledgement of the last one.
    const changed = tab.asked.length;
    await becomes(tab, 'live');
    await set.publish(3);
    await shows(set, tab);
    await until('the stream of the last user to be closed', async () => (await set.streams()) === 1);
    const isOfLast = ({ path, credential }) => !path.endsWith('/reports') && credential === `Bearer ${last}`;
    expect(
      tab.asked
        .slice(before, changed)
        .filter(isOfLast)
        .filter(({ path }) => !path.endsWith('/ack')),
    ).toEqual([]);
    expect(tab.asked.slice(changed).filter(isOfLast)).toEqual([]);
    expect(on('/token', tab.asked.slice(before)).length).toBe(1);
    expect(tab.complaints).toEqual([]);
  },
);

inBrowser('a stop with -w counts every browser as confirmed or ended, and none as told', async () => {
  const set = await stage(onTestFinished, REALTIME);
  await set.publish();
  const tabs = [await set.open(), await set.open(), await set.open()];
  for (const tab of tabs) await becomes(tab, 'live');
  const { stdout } = await set.turnout('stop', 'build', '--reason', 'a test', '-w', '--data', set.data);
  for (const tab of tabs) await becomes(tab, 'polling');
  expect(await set.streams()).toBe(0);
  const { streams } = await set.server.look('/v1/flags/build/convergence');
  expect(streams.told + streams.missing).toBe(0);
  expect(streams.confirmed + streams.ended).toBe(3);
  // Which of the two a browser is depends on whether its word comes before its stream's end.
  const counted = [...stdout.matchAll(/(\d+) (?:of \d+ clients? holds? it|left realtime)/g)].map(([, count]) =>
    Number(count),
  );
  expect(
    counted.reduce((sum, count) => sum + count, 0),
    stdout,
  ).toBe(3);
  await set.publish(5);
  for (const tab of tabs) await shows(set, tab);
});
