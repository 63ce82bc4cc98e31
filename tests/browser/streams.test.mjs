// Pages of another origin follow their strategies by streams, in a real browser: OpenFeature's web provider with its default options,
// and a script that reads the watch by `fetch`.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { until } from '../support/turnout.mjs';
import { open, page_server } from './page.mjs';
import { serve, token } from './turnout.mjs';

const flag = (rest) => ['version: 1', 'flag: build-events', 'enabled: true', 'default: polling', 'when_stopped: polling', ...rest, ''].join('\n');
const CLOSED = flag(['rollout: { realtime-v2: 0% }']);
const ALLOWED = flag(['allow: [{ users: [u-1], strategy: realtime-v2 }]', 'rollout: { realtime-v2: 0% }']);
const FLAGS = { 'build-events': CLOSED };

const STREAM = '/ofrep/v1/events';
const flip = (turnout, share) => turnout.order('/v1/flags/build-events/set', { 'realtime-v2': share, reason: 'a test' });
const open_streams = async (turnout) => (await turnout.look('/v1/status')).streams.open;

/** All requests of a page to `url`, in order, each with its status once it has arrived. */
function record(page, url) {
  const asked = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) return;
    const { pathname, searchParams } = new URL(request.url());
    const headers = request.headers();
    const said = { path: pathname, known: searchParams.get('flagConfigEtag'), authorization: headers.authorization, status: undefined };
    asked.push(said);
    request.response().then((response) => (said.status = response?.status()), () => {});
  });
  return {
    asked,
    bulk: () => asked.filter(({ path, status }) => path === '/ofrep/v1/evaluate/flags' && status).map(({ known, status }) => [known, status]),
    streams: () => asked.filter(({ path }) => path === STREAM),
  };
}

/** OpenFeature's web SDK in a page, with its OFREP provider's default options. */
async function connect(page, baseUrl, headers) {
  await page.evaluate(async ([baseUrl, headers]) => {
    const { ClientProviderEvents, OpenFeature } = await import('@openfeature/web-sdk');
    const { OFREPWebProvider } = await import('@openfeature/ofrep-web-provider');
    window.changes = [];
    OpenFeature.addHandler(ClientProviderEvents.ConfigurationChanged, ({ flagsChanged }) => window.changes.push(flagsChanged));
    await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, headers }), { targetingKey: 'u-1' });
    window.client = OpenFeature.getClient();
  }, [baseUrl, headers]);
  const value = () => page.evaluate(() => window.client.getStringValue('build-events', 'none of the strategies'));
  return {
    value,
    becomes: (strategy) => until(`the page to go by ${strategy}`, async () => (await value()) === strategy),
    changes: () => page.evaluate(() => window.changes),
  };
}

test('the web provider hears of a flip by the event stream alone', async (t) => {
  const origin = await page_server(t);
  // A credential is required here: an EventSource cannot send one, and the stream opens all the same.
  const turnout = await serve(t, origin, FLAGS, { TURNOUT_UNVERIFIED: 'deny' });
  const page = await open(t, origin);
  const { bulk, streams } = record(page, turnout.url);
  const { value, becomes, changes } = await connect(page, turnout.url, [['authorization', `Bearer ${token({ sub: 'u-1' })}`]]);
  assert.equal(await value(), 'polling');

  // The event on connect makes it ask once more; that is a 304, and the application gets no event.
  await until('the answer to the first event', () => bulk().length === 2);
  assert.deepEqual(bulk(), [[null, 200], ['r1', 304]]);
  await flip(turnout, '100%');
  await becomes('realtime-v2');
  await flip(turnout, '0%');
  await becomes('polling');

  // The page knows before the record does.
  await until('all to be on record', () => bulk().length >= 4 && streams().every(({ status }) => status));
  // A lowering change is live before it is committed, so its position is one or the other.
  const lowered = bulk().at(-1)[0] === 'r3' ? 'r3' : 'r2+1';
  assert.deepEqual(bulk(), [[null, 200], ['r1', 304], ['r2', 200], [lowered, 200]]);
  assert.deepEqual(await changes(), [['build-events'], ['build-events']]);
  assert.deepEqual(streams().map(({ authorization, status }) => [authorization, status]), [[undefined, 200]]);
});

test('the web provider finds its stream again after a restart, and what was changed meanwhile', async (t) => {
  const origin = await page_server(t);
  const turnout = await serve(t, origin, FLAGS);
  const page = await open(t, origin);
  const { bulk, streams } = record(page, turnout.url);
  const { value, becomes, changes } = await connect(page, turnout.url);
  await until('the answer to the first event', () => bulk().length === 2);

  // Nothing changed: a 304, and the application gets no event.
  await turnout.end();
  await turnout.again();
  await until('the answer to the first event', () => bulk().length === 3);
  assert.deepEqual(bulk(), [[null, 200], ['r1', 304], ['r1', 304]]);
  assert.deepEqual([await value(), await changes()], ['polling', []]);
  await flip(turnout, '100%');
  await becomes('realtime-v2');

  // Lowered before it is back, and saved while the server was away.
  await turnout.end();
  await turnout.again();
  await flip(turnout, '0%');
  await becomes('polling');
  await until('the stream', async () => (await open_streams(turnout)) === 1);
  await turnout.end();
  await turnout.save('build-events', ALLOWED);
  await turnout.again();
  await becomes('realtime-v2');
  // A request for an event that a newer one has replaced gets the whole state (docs/HTTP.md), which may be nothing new.
  const news = (await changes()).filter((flags) => flags.length);
  assert.deepEqual(news, [['build-events'], ['build-events'], ['build-events']]);
  assert.ok(streams().length >= 4, 'one for each start');
});

test('a flip whose answer was lost on the way is found when the stream comes back', async (t) => {
  const origin = await page_server(t);
  const turnout = await serve(t, origin, FLAGS);
  const page = await open(t, origin);
  const { asked, bulk } = record(page, turnout.url);
  const { value, becomes } = await connect(page, turnout.url);
  await until('the answer to the first event', () => bulk().length === 2);

  // It gets the event of the flip and asks, and its question does not get through; it does not try again by itself.
  const questions = (url) => url.pathname === '/ofrep/v1/evaluate/flags';
  await page.route(questions, (route) => route.abort('connectionreset'));
  await flip(turnout, '100%');
  await until('the question', () => asked.some(({ known }) => known === 'r2'));
  await page.unroute(questions);
  assert.equal(await value(), 'polling');
  await turnout.end();
  await turnout.again();
  await becomes('realtime-v2');
});

test('a script reads the watch, acknowledges and hears of a flip', async (t) => {
  const origin = await page_server(t);
  const turnout = await serve(t, origin, FLAGS);
  const page = await open(t, origin);
  await page.evaluate(async (url) => {
    const body = JSON.stringify({ targetingKey: 'u-1' });
    const leaving = new AbortController();
    const headers = { 'content-type': 'application/json' };
    // Ready-made readers add the last id by themselves.
    const again = { ...headers, 'last-event-id': '1' };
    const watch = { method: 'POST', headers: again, body, signal: leaving.signal };
    const response = await fetch(`${url}/v1/strategy/build-events/watch`, watch);
    window.watch = { events: [], revision: response.headers.get('turnout-revision'), leave: () => leaving.abort() };
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const ack = (position) => fetch(`${url}/v1/watch/ack`, { method: 'POST', headers, body: JSON.stringify({ ackId: window.watch.ackId, position }) });
    const read = async () => {
      let rest = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const events = (rest + value).split('\n\n');
        rest = events.pop();
        for (const event of events) {
          const said = JSON.parse(event.match(/^data: (.*)$/m)[1]);
          window.watch.ackId ??= said.ackId;
          const { status } = await ack(event.match(/^id: (.*)$/m)[1]);
          window.watch.events.push([said.type, said.document?.strategy, status]);
        }
      }
    };
    read().catch(() => {});
  }, turnout.url);
  const heard = () => page.evaluate(() => window.watch.events);
  assert.equal(await page.evaluate(() => window.watch.revision), '1');
  await until('the first event', async () => (await heard()).length === 1);
  await flip(turnout, '100%');
  await until('the flip', async () => (await heard()).length === 2);
  assert.deepEqual(await heard(), [['strategy', 'polling', 204], ['strategy', 'realtime-v2', 204]]);
  const { streams } = await turnout.look('/v1/flags/build-events/convergence');
  assert.deepEqual(streams, { open: 1, confirmed: 1, notNeeded: 0, told: 0, missing: 0, ended: 0 });

  await page.evaluate(() => window.watch.leave());
  await until('the server to notice', async () => (await open_streams(turnout)) === 0);
});

test('where there is no room for a stream, a page can read when to come back', async (t) => {
  const origin = await page_server(t);
  const turnout = await serve(t, origin, FLAGS, { TURNOUT_MAX_STREAMS: '1' });
  const page = await open(t, origin);
  const answer = await page.evaluate(async (url) => {
    const watch = () => fetch(`${url}/v1/watch`, { method: 'POST', body: '{}' });
    const [, refused] = [await watch(), await watch()];
    return [refused.status, refused.headers.get('retry-after'), (await refused.json()).code];
  }, turnout.url);
  assert.match(answer[1] ?? 'unreadable', /^[1-9][0-9]*$/);
  assert.deepEqual(answer, [503, answer[1], 'too-many-streams']);
});

/** The result of an `EventSource`: its first event, or that it gave up. */
function event_source(page, url) {
  return page.evaluate((url) => new Promise((resolve) => {
    const source = new EventSource(url);
    const end = (what) => (source.close(), resolve(what));
    source.onmessage = ({ data, lastEventId }) => end({ ...JSON.parse(data), lastEventId });
    source.onerror = () => source.readyState === EventSource.CLOSED && end('gave up');
  }), url);
}

test('an EventSource hears of changes; the watch needs a header that it cannot send', async (t) => {
  const origin = await page_server(t);
  const turnout = await serve(t, origin, FLAGS);
  const page = await open(t, origin);
  assert.deepEqual(await event_source(page, turnout.url + STREAM), { type: 'refetchEvaluation', etag: 'r1', lastEventId: '1' });
  assert.equal(await event_source(page, `${turnout.url}/v1/strategy/build-events/watch`), 'gave up');
});

test('a page of an unlisted origin gets no stream', async (t) => {
  const [listed, other] = [await page_server(t), await page_server(t)];
  const turnout = await serve(t, listed, FLAGS);
  const page = await open(t, other);
  assert.equal(await event_source(page, turnout.url + STREAM), 'gave up');
  for (const headers of [{ 'content-type': 'application/json' }, {}]) {
    const answer = await page.evaluate(
      ([url, headers]) => fetch(`${url}/v1/watch`, { method: 'POST', headers, body: '{}' }).then(() => 'read', String),
      [turnout.url, headers],
    );
    assert.match(answer, /Failed to fetch/);
  }
  await until('the server to let go of what no page may read', async () => (await open_streams(turnout)) === 0);
});
