// Streams behind nginx with its defaults, configured only with Turnout's address.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { test } from 'node:test';
import { createGzip } from 'node:zlib';

import { BINARY, serve, until } from '../support/turnout.mjs';
import { in_front } from './nginx.mjs';

const flag = (key, rest = '') => `version: 1\nflag: ${key}\nenabled: true\ndefault: polling\nwhen_stopped: polling\nrollout: { realtime-v2: 0% }\n${rest}\n`;
const FLAGS = { 'build-events': flag('build-events') };

/** Turnout, and the address of an nginx before it. */
async function behind(t, { files = FLAGS, settings, ...proxy } = {}) {
  const turnout = await serve(files, { settings });
  t.after(() => turnout.stop());
  const url = await in_front(t, turnout.url, proxy);
  return {
    turnout,
    url,
    open_streams: async () => (await turnout.look('/v1/status')).streams.open,
    flip: (share) => turnout.order('/v1/flags/build-events/set', { 'realtime-v2': share, reason: 'a test' }),
  };
}

/** A client of a stream. */
async function open(t, url, options) {
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  const response = await fetch(url, { ...options, signal: leaving.signal });
  assert.equal(response.status, 200);
  const text = response.body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let rest = '';
  return {
    response,
    leave: () => leaving.abort(),
    /** The next event or comment, as it arrived; undefined once the stream has ended. */
    async next() {
      for (;;) {
        const [event, ...others] = rest.split('\n\n');
        if (others.length > 0) {
          rest = others.join('\n\n');
          return event;
        }
        const { value, done } = await text.next();
        if (done) return undefined;
        rest += value;
      }
    },
    async event() {
      const event = await this.next();
      return { id: event.match(/^id: (.*)$/m)?.[1], ...JSON.parse(event.match(/^data: (.*)$/m)[1]) };
    },
  };
}

const watch = (t, url, path = '/v1/strategy/build-events/watch') => open(t, url + path, { method: 'POST', body: '{"targetingKey":"u-1"}' });

// Each test ends when what it waits for has arrived, or at this limit.
const options = { timeout: 180_000 };

test('a client is told at once and of a flip, and its acknowledgements count', options, async (t) => {
  const { turnout, url, flip } = await behind(t);
  const stream = await watch(t, url);
  assert.equal(stream.response.headers.get('content-type'), 'text/event-stream');
  assert.equal(stream.response.headers.get('cache-control'), 'no-store, no-transform');
  const { ackId, ...first } = await stream.event();
  assert.deepEqual([first.id, first.document.strategy], ['1', 'polling']);
  await flip('100%');
  const { id, document } = await stream.event();
  assert.deepEqual([id, document.strategy], ['2', 'realtime-v2']);

  const said = await fetch(`${url}/v1/watch/ack`, { method: 'POST', body: JSON.stringify({ ackId, position: id }) });
  assert.equal(said.status, 204);
  const { streams } = await turnout.look('/v1/flags/build-events/convergence');
  assert.deepEqual(streams, { open: 1, confirmed: 1, notNeeded: 0, told: 0, missing: 0, ended: 0 });
});

test('OFREP clients are told to ask again', options, async (t) => {
  const { url, flip } = await behind(t);
  const stream = await open(t, `${url}/ofrep/v1/events`);
  assert.deepEqual(await stream.event(), { id: '1', type: 'refetchEvaluation', etag: 'r1' });
  await flip('100%');
  assert.deepEqual(await stream.event(), { id: '2', type: 'refetchEvaluation', etag: 'r2' });
  // The bulk response names only the path of the stream, so it leads through the proxy.
  const bulk = await fetch(`${url}/ofrep/v1/evaluate/flags`, { method: 'POST', body: '{"context":{"targetingKey":"u-1"}}' });
  assert.deepEqual((await bulk.json()).eventStreams, [{ type: 'sse', endpoint: { requestUri: '/ofrep/v1/events' } }]);
});

test('a flip is heard at once where nginx compresses', options, async (t) => {
  const more = 'gzip on; gzip_proxied any; gzip_min_length 0; gzip_types *; proxy_http_version 1.1;';
  const { url, flip } = await behind(t, { more });
  const streams = [await watch(t, url), await watch(t, url, '/v1/watch'), await open(t, `${url}/ofrep/v1/events`)];
  for (const stream of streams) await stream.event();
  await flip('100%');
  for (const stream of streams) assert.equal((await stream.event()).id, '2');
  // Responses to questions are compressed, and a weak tag still matches.
  const ask = (headers) => fetch(`${url}/v1/strategy/build-events`, { method: 'POST', body: '{"targetingKey":"u-1"}', headers });
  const answer = await ask();
  assert.equal(answer.headers.get('content-encoding'), 'gzip');
  assert.equal((await answer.json()).strategy, 'realtime-v2');
  assert.match(answer.headers.get('etag'), /^W\//);
  assert.equal((await ask({ 'if-none-match': answer.headers.get('etag') })).status, 304);
});

/** A proxy that compresses like the middleware of many Node servers: every response that does not forbid it, without ever flushing. */
async function compressing(t, upstream) {
  const server = createServer((asked, answered) => {
    const passed = request(upstream + asked.url, { method: asked.method, headers: asked.headers }, (answer) => {
      const forbidden = /\bno-transform\b/.test(answer.headers['cache-control'] ?? '');
      const headers = { ...answer.headers, ...(forbidden ? {} : { 'content-encoding': 'gzip' }) };
      if (!forbidden) delete headers['content-length'];
      answered.writeHead(answer.statusCode, headers);
      answered.flushHeaders();
      (forbidden ? answer : answer.pipe(createGzip())).pipe(answered);
      answered.on('close', () => passed.destroy());
    });
    passed.on('error', () => answered.destroy());
    asked.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.closeAllConnections() ?? server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

test('a proxy that compresses whatever it may leaves streams alone', options, async (t) => {
  const { turnout, flip } = await behind(t);
  const url = await compressing(t, turnout.url);
  const asked = await fetch(`${url}/v1/strategy/build-events`, { method: 'POST', body: '{}' });
  assert.equal(asked.headers.get('content-encoding'), 'gzip', 'it does compress');
  const streams = [await watch(t, url), await watch(t, url, '/v1/watch'), await open(t, `${url}/ofrep/v1/events`)];
  for (const stream of streams) await stream.event();
  await flip('100%');
  for (const stream of streams) assert.equal((await stream.event()).id, '2');
});

/** A stream of events in realtime, by a token that was asked for at the same address. */
async function realtime(t, turnout, url) {
  const { session } = await turnout.order('/v1/sessions', { targetingKey: 'u-1' });
  const body = JSON.stringify({ flag: 'build-events', stream: 'b-1' });
  const asked = await fetch(`${url}/v1/token`, { method: 'POST', headers: { authorization: `Bearer ${session}` }, body });
  assert.equal(asked.status, 200);
  const { token } = await asked.json();
  return open(t, `${url}/v1/realtime/build-events/b-1`, { headers: { authorization: `Bearer ${token}` } });
}

const EVERYONE = { 'build-events': FLAGS['build-events'].replace('0%', '100%') };
// So rare that no sign of life can push an event on that a proxy holds.
const RARE = { TURNOUT_HEARTBEAT: '10m' };
const COMPRESSES = 'gzip on; gzip_proxied any; gzip_min_length 0; gzip_types *;';

for (const [what, more] of [
  ['with its defaults', ''],
  ['where it compresses', COMPRESSES],
  ['where it compresses, over HTTP/1.1', `${COMPRESSES} proxy_http_version 1.1;`],
]) {
  test(`events in realtime come at once and whole behind nginx ${what}`, options, async (t) => {
    const { turnout, url } = await behind(t, { files: EVERYONE, settings: RARE, more });
    await comes_at_once(t, turnout, url, more ? 'gzip' : null);
  });
}

test('events in realtime come at once and whole behind a proxy that compresses whatever it may', options, async (t) => {
  const { turnout } = await behind(t, { files: EVERYONE, settings: RARE });
  await comes_at_once(t, turnout, await compressing(t, turnout.url));
});

async function comes_at_once(t, turnout, url, encoding = null) {
  const publish = (events) => turnout.order('/v1/feeds/build-events/b-1', { readers: 'verified', events });
  const event = (id, data) => ({ id, type: 'step', data });
  await publish([event('e-0', {})]);
  const stream = await realtime(t, turnout, url);
  // nginx compresses streams too, and passes each piece on as it comes; `no-transform` is for others.
  assert.equal(stream.response.headers.get('content-encoding'), encoding);
  assert.equal((await stream.event()).document.strategy, 'realtime-v2');
  assert.deepEqual((await stream.event()).events.map(({ id }) => id), ['e-0']);
  assert.equal((await stream.event()).type, 'up-to-date');
  // One after the other, each alone on its way: nothing follows that could push it on. Small, and larger than a proxy's buffers.
  for (const [number, size] of [1, 10, 1_000, 4_096, 8_192, 20_000, 30_000].entries()) {
    const data = { text: 'é'.repeat(size / 2), size };
    await publish([event(`e-${number + 1}`, data)]);
    const message = await stream.event();
    assert.deepEqual(message.events.map(({ id, data }) => [id, data]), [[`e-${number + 1}`, data]]);
    assert.equal(message.id, message.cursor);
  }
  // As many bytes as one message may have.
  await publish(Array.from({ length: 6 }, (_, n) => event(`f-${n}`, { text: 'x'.repeat(10_000) })));
  assert.deepEqual((await stream.event()).events.map(({ id }) => id), ['f-0', 'f-1', 'f-2', 'f-3', 'f-4', 'f-5']);
  await turnout.order('/v1/flags/build-events/stop', {});
  assert.equal((await stream.event()).document.strategy, 'polling');
  assert.equal((await stream.event()).reason, 'strategy');
  assert.equal(await stream.next(), undefined, 'and that was all');
}

for (const keeps of [false, true]) {
  test(`below a path that nginx ${keeps ? 'leaves there' : 'takes away'}, every address leads back`, options, async (t) => {
    const { url, flip } = await behind(t, { settings: { TURNOUT_PUBLIC_PATH: '/turnout' }, below: '/turnout', keeps });
    const post = (address, body) => fetch(address, { method: 'POST', body: JSON.stringify(body) });
    const document = await (await post(`${url}/v1/strategy/build-events`, { targetingKey: 'u-1' })).json();
    const stream = await open(t, new URL(document.watch.url, url), { method: 'POST', body: '{"targetingKey":"u-1"}' });
    const { ackId, id } = await stream.event();
    assert.equal((await post(new URL(document.watch.ackUrl, url), { ackId, position: id })).status, 204);
    const { eventStreams } = await (await post(`${url}/ofrep/v1/evaluate/flags`, { context: { targetingKey: 'u-1' } })).json();
    const events = await open(t, new URL(eventStreams[0].endpoint.requestUri, url));
    await events.event();
    await flip('100%');
    for (const told of [stream, events]) assert.equal((await told.event()).id, '2');
    const contract = await (await fetch(`${url}/openapi.json`)).json();
    assert.equal(contract.servers[0].url, '/turnout');
  });
}

test('a state far larger than its buffers comes whole, and at once', options, async (t) => {
  const keys = Array.from({ length: 400 }, (_, index) => `flag-${String(index).padStart(3, '0')}`);
  const { url } = await behind(t, { files: Object.fromEntries(keys.map((key) => [key, flag(key)])) });
  const { documents } = await (await watch(t, url, '/v1/watch')).event();
  assert.deepEqual(documents.flags.map(({ flag }) => flag), keys);
  assert.ok(JSON.stringify(documents).length > 100_000);
});

test('signs of life keep a stream, and without them nginx would cut it', options, async (t) => {
  // Its time limit, shortened: still many times as long as a heartbeat, for a busy machine. Twelve of them last longer than that.
  const more = 'proxy_read_timeout 5s;';
  const lively = await behind(t, { settings: { TURNOUT_HEARTBEAT: '500ms' }, more });
  const [watched, changes] = [await watch(t, lively.url), await open(t, `${lively.url}/ofrep/v1/events`)];
  await watched.event();
  await changes.event();
  for (let sign = 0; sign < 12; sign += 1) {
    assert.equal((await watched.event()).type, 'heartbeat');
    assert.equal(await changes.next(), ':');
  }

  const silent = await behind(t, { settings: { TURNOUT_HEARTBEAT: '30s' }, more });
  const stream = await watch(t, silent.url);
  await stream.event();
  // The first sign comes at a random moment of the interval, which may be soon; the second does not.
  const read = async () => {
    for (;;) await stream.next();
  };
  await assert.rejects(read(), 'cut without a word');
});

test('by default a heartbeat comes well before nginx times out', () => {
  const PATIENCE_S = 60;
  const says = execFileSync(BINARY, ['--help'], { env: {}, encoding: 'utf8' });
  const seconds = Number(says.match(/--heartbeat [^]*?\[default: (\d+)s\]/)[1]);
  assert.ok(seconds > 0 && 2 * seconds < PATIENCE_S, `${seconds} s`);
});

test('where there is no room, a client hears when to come back', options, async (t) => {
  const { url } = await behind(t, { settings: { TURNOUT_MAX_STREAMS: '1' } });
  const stream = await watch(t, url);
  await stream.event();
  const refused = await fetch(`${url}/v1/watch`, { method: 'POST', body: '{}' });
  assert.equal(refused.status, 503);
  assert.match(refused.headers.get('retry-after'), /^[1-9][0-9]*$/);
  assert.equal((await refused.json()).code, 'too-many-streams');
});

test('the server notices that a client behind nginx has left', options, async (t) => {
  const { url, open_streams } = await behind(t);
  const streams = [await watch(t, url), await watch(t, url, '/v1/watch'), await open(t, `${url}/ofrep/v1/events`)];
  for (const stream of streams) await stream.event();
  assert.equal(await open_streams(), streams.length);
  streams[0].leave();
  await until('one to be gone', async () => (await open_streams()) === streams.length - 1);
  for (const stream of streams) stream.leave();
  await until('all to be gone', async () => (await open_streams()) === 0);
});

test('a head opens no stream', options, async (t) => {
  const { url, open_streams } = await behind(t);
  const head = await fetch(`${url}/ofrep/v1/events`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-type')], [200, 'text/event-stream']);
  assert.equal(await open_streams(), 0);
});

test('a server that stops says goodbye, and a client comes back to the next one', options, async (t) => {
  const { turnout, url, flip } = await behind(t);
  const [watched, changes] = [await watch(t, url), await open(t, `${url}/ofrep/v1/events`)];
  await watched.event();
  await changes.event();
  await turnout.end();
  for (const stream of [watched, changes]) {
    const goodbye = await stream.event();
    assert.deepEqual([goodbye.type, goodbye.reason], ['goodbye', 'stopping']);
    assert.ok(goodbye.afterMs > 0);
    assert.equal(await stream.next(), undefined, 'and that was all');
  }
  const away = await fetch(`${url}/v1/strategy/build-events/watch`, { method: 'POST', body: '{}' });
  assert.equal(away.status, 502, 'nginx reports that no server is there');
  await turnout.again();
  const back = await watch(t, url);
  assert.equal((await back.event()).document.strategy, 'polling');
  await flip('100%');
  assert.equal((await back.event()).document.strategy, 'realtime-v2');
});
