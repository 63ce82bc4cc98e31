// A page of one origin asks Turnout on another, in a real browser: what CORS allows and keeps back is the browser's to decide, so
// nothing less than one can show it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const BINARY = process.env.TURNOUT_BIN
  ? resolve(process.env.TURNOUT_BIN)
  : fileURLToPath(new URL('../../target/debug/turnout', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

const FLAG = [
  'version: 1', 'flag: build-events', 'enabled: true', 'default: polling', 'when_stopped: polling',
  'allow: [{ emails: [ops@example.com], strategy: realtime-v2 }]', '',
].join('\n');

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const base64 = (value) => Buffer.from(value).toString('base64url');

/** A session token of the application. */
function token(claims) {
  const now = Math.floor(Date.now() / 1000);
  const said = { iss: 'https://issuer.example.com/', aud: 'turnout', exp: now + 3600, ...claims };
  const message = `${base64(JSON.stringify({ alg: 'EdDSA', typ: 'JWT' }))}.${base64(JSON.stringify(said))}`;
  return `${message}.${sign(null, Buffer.from(message), privateKey).toString('base64url')}`;
}

/** An origin of its own: an empty page. */
async function page_server(t) {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>page</title>'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** Turnout, open to pages of `origin`. */
async function serve(t, origin) {
  const home = await mkdtemp(join(tmpdir(), 'turnout-browser-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  await mkdir(join(home, 'flags'));
  await writeFile(join(home, 'flags', 'build-events.yaml'), FLAG);
  await writeFile(join(home, 'keys.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(join(home, 'servers'), `page ${createHash('sha256').update('a-server-key').digest('hex')}\n`);
  const child = spawn(BINARY, ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--flags', join(home, 'flags')], {
    cwd: home,
    env: {
      TURNOUT_CORS_ORIGINS: origin,
      TURNOUT_SESSION_KEYS: join(home, 'keys.pem'),
      TURNOUT_SESSION_ALGORITHM: 'EdDSA',
      TURNOUT_SESSION_ISSUER: 'https://issuer.example.com/',
      TURNOUT_SESSION_AUDIENCE: 'turnout',
      TURNOUT_SERVER_KEYS_FILE: join(home, 'servers'),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  for await (const line of createInterface({ input: child.stderr })) {
    const address = line.match(/serving .* on (http:\S+)/)?.[1];
    if (address) {
      child.stderr.resume();
      return address;
    }
  }
  throw new Error('turnout ended before it served');
}

/** A page of `origin` in a browser that knows nothing yet. */
async function open(t, origin) {
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
  const turnout = await serve(t, origin);
  const page = await open(t, origin);
  const email = 'ops@example.com';
  const authorization = `Bearer ${token({ sub: 'u-1', email })}`;
  const plain = { method: 'POST', body: JSON.stringify({ targetingKey: 'u-1', attributes: { email } }) };
  const table = [
    ['plain', '/v1/strategy/build-events', { ...plain, headers: JSON_BODY }, 'polling'],
    ['with a token', '/v1/strategy/build-events', { headers: { authorization } }, 'realtime-v2'],
    ['with a token and a body', '/v1/strategy/build-events', { ...plain, headers: { ...JSON_BODY, authorization } }, 'realtime-v2'],
    ['with a server key', '/v1/strategy', { ...plain, headers: { ...JSON_BODY, 'x-api-key': 'a-server-key' } }, 'realtime-v2'],
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
  const turnout = await serve(t, listed);
  const page = await open(t, other);
  const body = JSON.stringify({ targetingKey: 'u-1' });
  for (const options of [{ method: 'POST', headers: JSON_BODY, body }, { method: 'POST', body }, {}]) {
    const answer = await ask(page, `${turnout}/v1/strategy/build-events`, options);
    assert.match(answer.refused ?? 'not refused', /Failed to fetch/);
  }
});
