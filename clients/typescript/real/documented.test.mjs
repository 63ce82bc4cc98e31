// What docs/CLIENTS.md shows of examples/clients/, run against the real program.

import { readFileSync } from 'node:fs';
import { transform } from 'esbuild';
import { expect, onTestFinished, test, vi } from 'vitest';
import { followBuild } from '../../../examples/clients/plain.ts';
import { SERVER_KEY, serve, token } from '../../../tests/browser/turnout.mjs';
import { until } from '../../../tests/support/turnout.mjs';

const at = (path) => new URL(`../../../${path}`, import.meta.url);
const SHIPPED = readFileSync(at('flags/build-events.yaml'), 'utf8');
/** The shipped flag, whose segment has a user. */
const start = () =>
  serve(
    { after: onTestFinished },
    'http://page.example',
    { 'build-events': SHIPPED },
    { INTERNAL_USER_IDS: 'u-internal' },
  );

test('a webhook publishes each row once, and a page follows them', async () => {
  const server = await start();
  const settings = { TURNOUT_URL: server.url, TURNOUT_KEY: SERVER_KEY, WEBHOOK_SECRET: 'a-secret' };
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value);
  const { POST } = await import('../../../examples/clients/webhook.ts');
  const call = async (body, secret = 'a-secret') =>
    (
      await POST(
        new Request('https://app.example/webhook', {
          method: 'POST',
          headers: { 'x-webhook-secret': secret },
          body: JSON.stringify(body),
        }),
      )
    ).status;
  const row = (id) => ({ id, build_id: 'b-42', user_id: 'u-1', kind: 'build.step', payload: { step: id } });
  expect(await call({ type: 'INSERT', record: row(1) }, 'another')).toBe(401);
  expect(await call({ type: 'DELETE', record: row(1) })).toBe(204);
  for (const id of [1, 2, 2]) expect(await call({ type: 'INSERT', record: row(id) })).toBe(204);

  const shown = [];
  const end = followBuild(
    new URL(server.url),
    'b-42',
    async () => token({ sub: 'u-1', plan: 'team' }),
    (text) => shown.push(text),
  );
  await until('both steps', () => shown.length === 2);
  expect(await call({ type: 'INSERT', record: row(3) })).toBe(204);
  await until('the third step', () => shown.length === 3);
  expect(shown).toEqual(['build.step 1', 'build.step 2', 'build.step 3']);
  await end();

  const asked = [];
  vi.stubGlobal('fetch', async (url) => asked.push(url) && new Response('{}'));
  onTestFinished(() => void vi.unstubAllGlobals());
  expect(await call({ type: 'INSERT', record: { ...row(4), build_id: '../other?x' } })).toBe(204);
  expect(asked).toEqual([`${server.url}/v1/feeds/build-events/..%2Fother%3Fx`]);
}, 120_000);

test('the strategy document is the one of the shipped flag', async () => {
  const server = await start();
  const documented = readFileSync(at('examples/clients/strategy.jsonc'), 'utf8');
  const answer = await fetch(`${server.url}/v1/strategy/build-events`, {
    headers: { authorization: `Bearer ${token({ sub: 'u-0', plan: 'team' })}` },
  });
  expect(await answer.json()).toEqual(JSON.parse(documented.replace(/ *\/\/ .*$/gm, '')));
}, 120_000);

test.each(['react/src/session.ts', 'next/app/turnout.tsx'])(
  'a session of %s is of one user, and not used again once it is refused',
  async (name) => {
    // What a page imports beside it is not here.
    const source = readFileSync(at(`examples/${name}`), 'utf8');
    const [made] = /(?<=^|\n)(export )?function sessionOfUser[^]*?\n}\n/.exec(source);
    const { code } = await transform(made.replace(/^export /, ''), { loader: 'ts' });
    const sessionOfUser = new Function(`${code}; return sessionOfUser;`)();
    let user = 'a';
    let count = 0;
    const answer = (url) =>
      String(url).endsWith('/session')
        ? Response.json({ session: `${user}-${++count}`, expiresInMs: 60_000 })
        : new Response(null, { status: 401 });
    vi.stubGlobal('fetch', async (url) => answer(url));
    onTestFinished(() => void vi.unstubAllGlobals());
    const first = sessionOfUser();
    expect([await first.auth(), await first.auth()]).toEqual(['a-1', 'a-1']);
    user = 'b';
    const second = sessionOfUser();
    expect(await second.auth()).toBe('b-2');
    expect((await second.fetch('https://turnout.example/v1/strategy/x')).status).toBe(401);
    expect(await second.auth()).toBe('b-3');
  },
);

test('of two questions in flight the sixteen lines tell the newer one', async () => {
  let source;
  vi.stubGlobal(
    'EventSource',
    class {
      constructor() {
        source = this;
      }
    },
  );
  const answers = [];
  vi.stubGlobal('fetch', () => new Promise((answer) => answers.push(answer)));
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const { followStrategy } = await import('../../../examples/clients/sixteen.js');
  const told = [];
  followStrategy('https://turnout.example', 'a-session', ({ strategy }) => told.push(strategy));
  source.onmessage();
  source.onmessage();
  answers[1](Response.json({ strategy: 'polling', validForMs: 60_000 }));
  await vi.advanceTimersByTimeAsync(10);
  answers[0](Response.json({ strategy: 'realtime-v2', validForMs: 60_000 }));
  await vi.advanceTimersByTimeAsync(10);
  expect(told).toEqual(['polling']);
});
