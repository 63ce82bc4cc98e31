// OpenFeature's server SDK and its OFREP provider, as npm has them, against the real binary: what a backend in Node would see.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';

import { serve } from '../ofrep-web/server.mjs';

const flag = (key, rest) => `version: 1\nflag: ${key}\nenabled: true\nwhen_stopped: polling\n${rest}\n`;

// With the salt `build-events`, u-4711 is in bucket 6764 and u-1 in bucket 13639 of 100000: 10 % lies between them.
const SPLIT = flag('build-events', 'salt: build-events\ndefault: polling\nrollout: { realtime-v2: 10% }');
const SAME_FOR_ALL = flag('banner', 'default: polling');

const CALLERS_DEFAULT = 'none of the strategies';

/** A server over `files` and a client of it, both of which end with the test. */
async function connect(t, files) {
  const server = await serve(files);
  t.after(async () => {
    await OpenFeature.clearProviders();
    await server.stop();
  });
  // A domain to each server keeps one test's client out of the next one's.
  await OpenFeature.setProviderAndWait(server.url, new OFREPProvider({ baseUrl: server.url }));
  const client = OpenFeature.getClient(server.url);
  return {
    server,
    client,
    /** The details that matter, with a default that no flag serves. */
    async ask(key, context) {
      const { value, variant, reason, errorCode } = await client.getStringDetails(key, CALLERS_DEFAULT, context);
      return { value, variant, reason, errorCode };
    },
  };
}

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
  const { server, client, ask } = await connect(t, { allowed, banner: SAME_FOR_ALL, 'build-events': SPLIT });

  assert.deepEqual(await ask('allowed', { targetingKey: 'u-4711' }), answer('realtime-v2', 'TARGETING_MATCH'));
  assert.deepEqual(await ask('allowed', { targetingKey: 'u-1' }), answer('polling', 'STATIC'));
  assert.deepEqual(await ask('build-events', { targetingKey: 'u-4711' }), answer('realtime-v2', 'SPLIT'));
  assert.deepEqual(await ask('build-events', { targetingKey: 'u-1' }), answer('polling', 'SPLIT'));
  assert.deepEqual(await ask('banner', { targetingKey: 'u-1' }), answer('polling', 'STATIC'));

  const { flagMetadata } = await client.getStringDetails('allowed', '', { targetingKey: 'u-4711' });
  assert.deepEqual(flagMetadata, {
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
  assert.deepEqual(flagMetadata, JSON.parse(server.exchanges().at(-1).body).metadata);
});

test('`disabled` is a value like any other', async (t) => {
  const { ask } = await connect(t, {
    'off-by-default': flag('off-by-default', 'default: disabled'),
    'off-by-name': flag('off-by-name', 'default: polling\nallow: [{ users: [u-1], strategy: disabled }]'),
    'off-for-most': flag('off-for-most', 'salt: build-events\ndefault: polling\nrollout: { disabled: 90% }'),
    off: 'version: 1\nflag: off\nenabled: false\nwhen_stopped: disabled\ndefault: polling\n',
  });
  const context = { targetingKey: 'u-1' };
  assert.deepEqual(await ask('off-by-default', context), answer('disabled', 'STATIC'));
  assert.deepEqual(await ask('off-by-name', context), answer('disabled', 'TARGETING_MATCH'));
  assert.deepEqual(await ask('off-for-most', context), answer('disabled', 'SPLIT'));
  assert.deepEqual(await ask('off', context), answer('disabled', 'STATIC'));
});

test('without a targeting key only a flag that needs one fails', async (t) => {
  const { ask } = await connect(t, { 'build-events': SPLIT, banner: SAME_FOR_ALL });
  // An empty key is a missing one, not one more user.
  for (const context of [undefined, {}, { plan: 'team' }, { targetingKey: '' }]) {
    assert.deepEqual(await ask('build-events', context), failure('TARGETING_KEY_MISSING'));
    assert.deepEqual(await ask('banner', context), answer('polling', 'STATIC'));
  }
});

test('an attribute of a wrong type is INVALID_CONTEXT where it is compared', async (t) => {
  const modern = flag('modern', [
    'default: polling',
    'attributes: { app_version: version }',
    'rules: [{ name: modern, when: { app_version: { at_least: "2.10" } }, strategy: realtime-v2 }]',
  ].join('\n'));
  const { ask } = await connect(t, { modern, banner: SAME_FOR_ALL });
  assert.deepEqual(await ask('modern', { targetingKey: 'u-1', app_version: 2.1 }), failure('INVALID_CONTEXT'));
  assert.deepEqual(await ask('banner', { targetingKey: 'u-1', app_version: 2.1 }), answer('polling', 'STATIC'));
  assert.deepEqual(await ask('modern', { targetingKey: 'u-1', app_version: '2.10' }), answer('realtime-v2', 'TARGETING_MATCH'));
});

test('an unknown flag is FLAG_NOT_FOUND', async (t) => {
  const { ask } = await connect(t, { banner: SAME_FOR_ALL });
  assert.deepEqual(await ask('bannner', { targetingKey: 'u-1' }), failure('FLAG_NOT_FOUND'));
});

test('a save is seen by the next evaluation', async (t) => {
  const { server, ask } = await connect(t, { 'build-events': SPLIT, banner: SAME_FOR_ALL });
  assert.deepEqual(await ask('build-events', { targetingKey: 'u-1' }), answer('polling', 'SPLIT'));
  await server.save('build-events', SPLIT.replace('10%', '20%'));
  await server.says(/ revision 2 is live: build-events$/);
  assert.deepEqual(await ask('build-events', { targetingKey: 'u-1' }), answer('realtime-v2', 'SPLIT'));
});

test('before any flag is known every name gets polling, reason ERROR', async (t) => {
  const { server, client, ask } = await connect(t, {});
  assert.deepEqual(await ask('build-events', { targetingKey: 'u-4711' }), answer('polling', 'ERROR'));
  assert.equal((await client.getStringDetails('build-events', '')).flagMetadata.rule, 'cold-start');

  await server.save('build-events', SPLIT);
  await server.says(/ revision 1 is live: build-events$/);
  assert.deepEqual(await ask('build-events', { targetingKey: 'u-4711' }), answer('realtime-v2', 'SPLIT'));
});
