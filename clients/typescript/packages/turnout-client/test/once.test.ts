// Exactly once and in order, over switches and faults, with a `fetch` that ignores aborts and answers late.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { advance, dice, setUp } from './support.js';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const SWITCHES = 400;

for (const seed of (process.env.TURNOUT_SEEDS ?? '1 2 3').split(' ').map(Number)) {
  test(`seed ${seed}: ${SWITCHES} switches and faults, 0 lost, 0 repeated, 0 out of order`, async () => {
    const roll = dice(seed);
    const { server, client, ids: got } = setUp({ random: roll, fetch: (...asked) => late(...asked) });
    const late: typeof fetch = async (input, init) => {
      const stream = String(input).includes('/realtime/');
      const { signal, ...rest } = init ?? {};
      const answer = await server.fetch(input, stream ? init : rest);
      const ms = roll() < 0.3 ? roll() * 6000 : roll() * 50;
      await new Promise((resolve) => setTimeout(resolve, stream ? ms / 10 : ms));
      if (stream && roll() < 0.5) return deaf(answer);
      if (stream) signal?.throwIfAborted();
      return answer;
    };
    client.start();
    const published: string[] = [];
    for (let n = 0; n < SWITCHES; n += 1) {
      const kind = Math.floor(roll() * 7);
      server.fault = () => undefined;
      if (kind < 2) server.decide({ strategy: n % 2 === 0 ? 'realtime-v2' : 'polling' });
      else if (kind === 2) server.cut();
      else if (kind === 3) server.send({ type: 'goodbye', reason: 'age', afterMs: roll() * 500 });
      else if (kind === 4)
        server.fault = ({ path }) => (path.includes('/feeds/') ? new Response('{', { status: 200 }) : undefined);
      else if (kind === 5)
        server.fault = () => (roll() < 0.5 ? new TypeError('reset') : new Response('{}', { status: 500 }));
      else
        server.fault = ({ path }) =>
          path.includes('/token') ? new Response('{}', { status: 429, headers: { 'Retry-After': '2' } }) : undefined;
      for (let wave = 0; wave < 3; wave += 1) {
        const more = Array.from({ length: Math.floor(roll() * 8) }, (_, k) => `e${published.length + k}`);
        published.push(...more);
        server.publish(...more);
        await advance(roll() * 3000);
      }
    }
    server.fault = () => undefined;
    await advance(120_000);
    expect(new Set(got).size).toBe(got.length);
    expect(got).toEqual(published);
    // What this `fetch` answers late comes to nothing, and then it is stopped.
    const stopped = client.stop();
    await advance(10_000);
    await stopped;
  });
}

/** A stream whose reader goes on to hand out what comes, whatever was aborted. */
function deaf(answer: Response): Response {
  const reader = answer.body?.getReader();
  if (!reader) return answer;
  const body = new ReadableStream({
    async pull(to) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (done) to.close();
      else to.enqueue(value);
    },
  });
  return new Response(body, { status: answer.status, headers: answer.headers });
}
