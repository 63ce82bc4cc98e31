// A page of one origin asks Turnout on another, in a real browser: the browser decides what CORS allows and withholds, so only a real
// one can show it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { open, page_server } from './page.mjs';
import { SERVER_KEY, serve, token } from './turnout.mjs';

const FLAGS = {
  'build-events': [
    'version: 1', 'flag: build-events', 'enabled: true', 'default: polling', 'when_stopped: polling',
    'allow: [{ emails: [ops@example.com], strategy: realtime-v2 }]', '',
  ].join('\n'),
};

/** What a script of the page gets. */
function ask(page, url, options) {
  return page.evaluate(async ([url, options]) => {
    try {
      const response = await fetch(url, { cache: 'no-store', ...options });
      return {
        status: response.status,
        etag: response.headers.get('etag'),
        revision: response.headers.get('turnout-revision'),
        stale: response.headers.get('turnout-stale'),
        body: await response.text(),
      };
    } catch (error) {
      return { refused: String(error) };
    }
  }, [url, options]);
}

const JSON_BODY = { 'content-type': 'application/json' };

test('a page of a listed origin gets a value, and then a 304', async (t) => {
  const origin = await page_server(t);
  const { url: turnout } = await serve(t, origin, FLAGS);
  const page = await open(t, origin);
  const email = 'ops@example.com';
  const authorization = `Bearer ${token({ sub: 'u-1', email })}`;
  const plain = { method: 'POST', body: JSON.stringify({ targetingKey: 'u-1', attributes: { email } }) };
  const table = [
    ['plain', '/v1/strategy/build-events', { ...plain, headers: JSON_BODY }, 'polling'],
    ['with a token', '/v1/strategy/build-events', { headers: { authorization } }, 'realtime-v2'],
    ['with a token and a body', '/v1/strategy/build-events', { ...plain, headers: { ...JSON_BODY, authorization } }, 'realtime-v2'],
    ['with a server key', '/v1/strategy', { ...plain, headers: { ...JSON_BODY, 'x-api-key': SERVER_KEY } }, 'realtime-v2'],
    ['OFREP bulk', '/ofrep/v1/evaluate/flags', { method: 'POST', headers: JSON_BODY, body: '{"context":{"targetingKey":"u-1"}}' }, 'polling'],
  ];
  for (const [what, path, options, strategy] of table) {
    const first = await ask(page, turnout + path, options);
    assert.equal(first.status, 200, `${what}: ${first.refused}`);
    const answer = JSON.parse(first.body);
    const flag = answer.flags?.[0] ?? answer;
    assert.equal(flag.value ?? flag.strategy, strategy, what);
    assert.match(first.etag ?? 'unreadable', /^".+"$/, what);
    assert.deepEqual([first.revision, first.stale], ['1', '0'], what);
    const again = await ask(page, turnout + path, { ...options, headers: { ...options.headers, 'if-none-match': first.etag } });
    assert.deepEqual([again.status, again.etag, again.body], [304, first.etag, ''], what);
  }
  const refused = await ask(page, `${turnout}/v1/strategy/build-events`, { headers: { authorization: 'Bearer a.b.c' } });
  assert.equal(refused.status, 401);
  assert.equal(JSON.parse(refused.body).code, 'unauthenticated', 'a page can read why');
});

test('a page of an unlisted origin is refused', async (t) => {
  const [listed, other] = [await page_server(t), await page_server(t)];
  const { url: turnout } = await serve(t, listed, FLAGS);
  const page = await open(t, other);
  const body = JSON.stringify({ targetingKey: 'u-1' });
  for (const options of [{ method: 'POST', headers: JSON_BODY, body }, { method: 'POST', body }, {}]) {
    const answer = await ask(page, `${turnout}/v1/strategy/build-events`, options);
    assert.match(answer.refused ?? 'not refused', /Failed to fetch/);
  }
});
