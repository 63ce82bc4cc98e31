// OpenFeature's web SDK and its OFREP provider, as npm has them, against the real binary: what a browser would see.
//
// Node has no `localStorage`, `document` or `EventSource`: the provider's own options switch the cache off and choose polling; it
// looks for `document` itself. `tests/browser/` shows in a real browser how it uses its event stream.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { ClientProviderEvents, OpenFeature } from '@openfeature/web-sdk';

import { serve, until } from './server.mjs';

const flag = (key, rest) => `version: 1\nflag: ${key}\nenabled: true\nwhen_stopped: polling\n${rest}\n`;

// With the salt `build-events`, u-4711 is in bucket 6764 and u-1 in bucket 13639 of 100000: 10 % lies between them.
const SPLIT = flag('build-events', 'salt: build-events\ndefault: polling\nrollout: { realtime-v2: 10% }');
const SAME_FOR_ALL = flag('banner', 'default: polling');
const BY_PLAN = flag('by-plan', [
  'default: polling',
  'attributes: { plan: text, app_version: version }',
  'rules:',
  '  - { name: paying, when: { plan: [team, enterprise] }, strategy: realtime-v2 }',
  '  - { name: modern, when: { app_version: { at_least: "2.10" } }, strategy: realtime-v2 }',
].join('\n'));

const CALLERS_DEFAULT = 'none of the strategies';

/** A server over `files` and a client of it, both of which end with the test. */
async function connect(t, files, context, options = {}) {
  const server = await serve(files);
  // A domain to each server keeps one test's clients and events out of the next one's.
  const domain = server.url;
  t.after(async () => {
    await OpenFeature.clearProviders();
    await server.stop();
  });
  const events = [];
  const client = OpenFeature.getClient(domain);
  for (const type of [ClientProviderEvents.ConfigurationChanged, ClientProviderEvents.Stale, ClientProviderEvents.Error]) {
    client.addHandler(type, (details) => events.push({ type, flagsChanged: details?.flagsChanged }));
  }
  const provider = new OFREPWebProvider({ baseUrl: server.url, cacheMode: 'disabled', changeDetection: 'none', ...options });
  await OpenFeature.setProviderAndWait(domain, provider, context);
  assert.equal(client.providerStatus, 'READY');
  return {
    server,
    client,
    events,
    become: (context) => OpenFeature.setContext(domain, context),
    /** The details that matter, with a default that no flag serves. */
    ask(key) {
      const { value, variant, reason, errorCode } = client.getStringDetails(key, CALLERS_DEFAULT);
      return { value, variant, reason, errorCode };
    },
  };
}

const POLLING = { changeDetection: 'polling', pollInterval: 10 };

const answer = (value, reason) => ({ value, variant: value, reason, errorCode: undefined });
const failure = (errorCode) => ({ value: CALLERS_DEFAULT, variant: undefined, reason: 'ERROR', errorCode });

test('value, variant, reason and flat metadata arrive', async (t) => {
  const allowed = flag('allowed', [
    'default: polling',
    'allow: [{ users: [u-4711], strategy: realtime-v2 }]',
    'transports:',
    '  polling: { url: "/feed/{stream}", start: 4s, min: 3s, max: 15s, factor: 1.5, dedupe: 2s, limit: 50 }',
    '  realtime-v2: { kind: sse, url: "/live/{stream}", token_ttl: 10m, retry: [2s, 4s] }',
  ].join('\n'));
  const files = { allowed, banner: SAME_FOR_ALL, 'build-events': SPLIT };
  const { server, client, ask, become } = await connect(t, files, { targetingKey: 'u-4711' });

  assert.deepEqual(ask('allowed'), answer('realtime-v2', 'TARGETING_MATCH'));
  assert.deepEqual(ask('build-events'), answer('realtime-v2', 'SPLIT'));
  assert.deepEqual(ask('banner'), answer('polling', 'STATIC'));
  assert.deepEqual(client.getStringDetails('allowed', '').flagMetadata, {
    rule: 'allow',
    validForMs: 60_000,
    staleIfErrorMs: 86_400_000,
    enterSpreadMs: 5_000,
    'watch.kind': 'sse',
    'watch.url': '/v1/strategy/allowed/watch',
    'watch.ackUrl': '/v1/watch/ack',
    'polling.url': '/feed/{stream}',
    'polling.startMs': 4_000,
    'polling.minMs': 3_000,
    'polling.maxMs': 15_000,
    'polling.factor': 1.5,
    'polling.dedupeMs': 2_000,
    'polling.limit': 50,
    'polling.waitMs': 0,
    'realtime.kind': 'sse',
    'realtime.url': '/live/{stream}',
    'realtime.tokenUrl': '/v1/token',
    'realtime.tokenTtlMs': 600_000,
    'realtime.connectMs': 10_000,
    'realtime.fallbackMs': 300_000,
    'realtime.retryMs': '2000,4000',
    'report.url': '/v1/reports',
    'report.everyMs': 60_000,
  });
  // The provider silently drops metadata that is not flat, so only the response shows that nothing was lost.
  for (const { key, metadata } of JSON.parse(server.exchanges()[0].body).flags) {
    assert.deepEqual(client.getStringDetails(key, '').flagMetadata, metadata);
  }

  await become({ targetingKey: 'u-1' });
  assert.deepEqual(ask('allowed'), answer('polling', 'STATIC'));
  assert.deepEqual(ask('build-events'), answer('polling', 'SPLIT'));
});

test('a poll with nothing new is a 304 and no event', async (t) => {
  const files = { 'build-events': SPLIT, banner: SAME_FOR_ALL };
  const { server, client, events, ask } = await connect(t, files, { targetingKey: 'u-4711' }, POLLING);

  // A poll begins only when the one before it is finished, with its event: three of these four are certainly done.
  await until('four polls', () => server.exchanges().length >= 5);
  const [first, ...polls] = server.exchanges();
  assert.deepEqual([first.ifNoneMatch, first.status], [null, 200]);
  assert.match(first.etag, /^"[^"]+"$/);
  for (const poll of polls) {
    assert.deepEqual([poll.ifNoneMatch, poll.status, poll.etag, poll.body], [first.etag, 304, first.etag, '']);
  }
  assert.deepEqual(events, []);
  assert.equal(client.providerStatus, 'READY');
  assert.deepEqual(ask('build-events'), answer('realtime-v2', 'SPLIT'));
});

test('another attribute under the same targeting key is answered anew', async (t) => {
  const { server, ask, become } = await connect(t, { 'by-plan': BY_PLAN }, { targetingKey: 'u-1', plan: 'free' });
  const free = server.exchanges().at(-1);
  assert.deepEqual(ask('by-plan'), answer('polling', 'STATIC'));

  // The provider forgets its tag only with the targeting key, so a tag made from the configuration would leave the old answer.
  await become({ targetingKey: 'u-1', plan: 'team' });
  const team = server.exchanges().at(-1);
  assert.deepEqual([team.ifNoneMatch, team.status], [free.etag, 200]);
  assert.notEqual(team.etag, free.etag);
  assert.deepEqual(ask('by-plan'), answer('realtime-v2', 'TARGETING_MATCH'));

  // Another context with the same results makes no event.
  await become({ targetingKey: 'u-1', plan: 'enterprise' });
  const enterprise = server.exchanges().at(-1);
  assert.deepEqual([enterprise.ifNoneMatch, enterprise.status], [team.etag, 304]);
  assert.deepEqual(ask('by-plan'), answer('realtime-v2', 'TARGETING_MATCH'));

  await become({ targetingKey: 'u-1', plan: 'free' });
  const again = server.exchanges().at(-1);
  assert.deepEqual([again.ifNoneMatch, again.status, again.etag], [team.etag, 200, free.etag]);
  assert.deepEqual(ask('by-plan'), answer('polling', 'STATIC'));
  assert.equal(server.exchanges().length, 4);
});

test('`disabled` is a value like any other', async (t) => {
  const { ask, become } = await connect(t, {
    'off-by-default': flag('off-by-default', 'default: disabled'),
    'off-for-all': flag('off-for-all', 'default: polling\nrollout: { disabled: 100% }'),
    'off-for-most': flag('off-for-most', 'salt: build-events\ndefault: polling\nrollout: { disabled: 90% }'),
    off: 'version: 1\nflag: off\nenabled: false\nwhen_stopped: disabled\ndefault: polling\n',
  }, { targetingKey: 'u-1' });

  assert.deepEqual(ask('off-by-default'), answer('disabled', 'STATIC'));
  assert.deepEqual(ask('off-for-all'), answer('disabled', 'STATIC'));
  assert.deepEqual(ask('off-for-most'), answer('disabled', 'SPLIT'));
  assert.deepEqual(ask('off'), answer('disabled', 'STATIC'));

  await become({ targetingKey: 'u-4711' });
  assert.deepEqual(ask('off-for-most'), answer('polling', 'SPLIT'));
});

test('without a targeting key only the flags that need one fail, until login', async (t) => {
  const files = { 'build-events': SPLIT, banner: SAME_FOR_ALL };
  const { server, client, events, ask, become } = await connect(t, files, {});
  assert.equal(server.exchanges()[0].status, 200);
  assert.deepEqual(ask('build-events'), failure('TARGETING_KEY_MISSING'));
  assert.deepEqual(ask('banner'), answer('polling', 'STATIC'));

  await become({ targetingKey: 'u-4711' });
  assert.deepEqual(ask('build-events'), answer('realtime-v2', 'SPLIT'));

  // Some applications log out with an empty key: that is a missing key, not one more user.
  await become({ targetingKey: '' });
  assert.deepEqual(ask('build-events'), failure('TARGETING_KEY_MISSING'));
  assert.deepEqual(ask('banner'), answer('polling', 'STATIC'));
  assert.equal(client.providerStatus, 'READY');
  assert.deepEqual(events, []);
});

test('an unknown flag is FLAG_NOT_FOUND', async (t) => {
  const { ask } = await connect(t, { banner: SAME_FOR_ALL }, { targetingKey: 'u-1' });
  assert.deepEqual(ask('bannner'), failure('FLAG_NOT_FOUND'));
  assert.deepEqual(ask('banner'), answer('polling', 'STATIC'));
});

test('a save goes live with one event that names the flag', async (t) => {
  const files = { 'build-events': SPLIT, banner: SAME_FOR_ALL };
  const { server, events, ask } = await connect(t, files, { targetingKey: 'u-1' }, POLLING);
  assert.deepEqual(ask('build-events'), answer('polling', 'SPLIT'));
  const [before] = server.exchanges();

  await server.save('build-events', SPLIT.replace('10%', '20%'));
  await server.says(/ revision \d+ is live: build-events$/);
  await until('the event', () => events.length > 0);
  assert.deepEqual(ask('build-events'), answer('realtime-v2', 'SPLIT'));

  // Afterwards it is quiet again, under the new tag.
  const seen = server.exchanges().length;
  await until('three more polls', () => server.exchanges().length >= seen + 3);
  const changed = server.exchanges().filter(({ status }) => status === 200).slice(1);
  assert.equal(changed.length, 1);
  assert.equal(changed[0].ifNoneMatch, before.etag);
  assert.notEqual(changed[0].etag, before.etag);
  const { ifNoneMatch, status } = server.exchanges().at(-1);
  assert.deepEqual([ifNoneMatch, status], [changed[0].etag, 304]);
  assert.deepEqual(events, [{ type: ClientProviderEvents.ConfigurationChanged, flagsChanged: ['build-events'] }]);
});

test('an attribute of a wrong type fails only the flag that compares it', async (t) => {
  const files = { 'by-plan': BY_PLAN, banner: SAME_FOR_ALL };
  const { server, events, ask, become } = await connect(t, files, { targetingKey: 'u-1', app_version: 2.1 });
  assert.equal(server.exchanges()[0].status, 200);
  assert.deepEqual(ask('by-plan'), failure('INVALID_CONTEXT'));
  assert.deepEqual(ask('banner'), answer('polling', 'STATIC'));

  // A rule before it decides, so the comparison is never made.
  await become({ targetingKey: 'u-1', app_version: 2.1, plan: 'team' });
  assert.deepEqual(ask('by-plan'), answer('realtime-v2', 'TARGETING_MATCH'));

  await become({ targetingKey: 'u-1', app_version: '2.9' });
  assert.deepEqual(ask('by-plan'), answer('polling', 'STATIC'));
  assert.deepEqual(events, []);
});

test('before any flag is known the list is empty and has no tag', async (t) => {
  const { server, events, ask } = await connect(t, {}, { targetingKey: 'u-4711' }, POLLING);
  assert.deepEqual(ask('build-events'), failure('FLAG_NOT_FOUND'));
  await until('two polls', () => server.exchanges().length >= 3);
  const eventStreams = [{ type: 'sse', endpoint: { requestUri: '/ofrep/v1/events' } }];
  for (const { ifNoneMatch, status, etag, body } of server.exchanges().slice(0, 3)) {
    assert.deepEqual([ifNoneMatch, status, etag, JSON.parse(body)], [null, 200, null, { flags: [], eventStreams }]);
  }

  await server.save('build-events', SPLIT);
  await until('the first flag', () => events.some(({ flagsChanged }) => flagsChanged?.includes('build-events')));
  assert.deepEqual(ask('build-events'), answer('realtime-v2', 'SPLIT'));
});
