import { expect, test } from 'vitest';
import { TurnoutError } from '../src/error.js';
import { type Given, TokenSource } from '../src/token.js';

/** A source whose answers are given by hand, at a time that is set by hand. */
function source() {
  const asked: { give(given: Given): void; refuse(error: Error): void }[] = [];
  const clock = { now: () => time.ms, setTimeout: () => 0, clearTimeout: () => {} };
  const time = { ms: 0 };
  const tokens = new TokenSource(
    () => new Promise((give, refuse) => asked.push({ give, refuse })),
    clock,
    (code, message) => new TurnoutError(code, message),
  );
  return { tokens, asked, time };
}

const given = (token: string): Given => ({ token, expiresInMs: 600_000, refreshAfterMs: 450_000 });

test('at most one refresh is in flight, however many ask', async () => {
  const { tokens, asked } = source();
  const all = [tokens.get(), tokens.get(), tokens.get(true)];
  expect(asked.length).toBe(1);
  asked[0]?.give(given('one'));
  expect(await Promise.all(all)).toEqual(['one', 'one', 'one']);
  expect(await tokens.get()).toBe('one');
  expect(asked.length).toBe(1);
});

test('a token is refreshed before its end, and serves until then while that fails', async () => {
  const { tokens, asked, time } = source();
  const first = tokens.get();
  asked[0]?.give(given('one'));
  await first;
  for (const [ms, fails, token] of [
    [450_001, true, 'one'],
    [594_000, true, 'one'],
    [596_000, true, null],
    [596_000, false, 'two'],
  ] as const) {
    time.ms = ms;
    const before = asked.length;
    const got = tokens.get().catch(() => null);
    expect(asked.length).toBe(before + 1);
    if (fails) asked.at(-1)?.refuse(new TurnoutError('http-503', '', 503));
    else asked.at(-1)?.give(given('two'));
    expect(await got).toBe(token);
  }
});

test('who may have none has none, also of before', async () => {
  const { tokens, asked, time } = source();
  const first = tokens.get();
  asked[0]?.give(given('one'));
  await first;
  time.ms = 500_000;
  const refused = tokens.get().catch((error: TurnoutError) => error.status);
  asked.at(-1)?.refuse(new TurnoutError('not-realtime', '', 403));
  expect(await refused).toBe(403);
  expect(tokens.refreshInMs()).toBeNull();
});
