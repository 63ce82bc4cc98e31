import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { defaultDocument } from '../src/defaults.js';
import { advance, setUp } from './support.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** How long after its publish each event was delivered: a step every `everyMs`, then `done` after `quietMs`. */
async function felt(options: { everyMs: number; quietMs: number; waitMs?: number }) {
  const { server, client } = setUp();
  const { polling } = defaultDocument('build');
  server.decide({ polling: { ...polling, waitMs: options.waitMs ?? 0 } });
  const published = new Map<string, number>();
  const took = new Map<string, number>();
  client.on('events', (events) => {
    for (const { id } of events) took.set(id, Date.now() - (published.get(id) ?? 0));
  });
  client.start();
  await advance(1000);
  const publish = (id: string) => {
    published.set(id, Date.now());
    server.publish(id);
  };
  for (let n = 0; n < 24; n += 1) {
    publish(`step-${n}`);
    await advance(options.everyMs);
  }
  await advance(options.quietMs);
  publish('done');
  await advance(20_000);
  await client.stop();
  const done = took.get('done') ?? Number.POSITIVE_INFINITY;
  took.delete('done');
  expect(took.size).toBe(24);
  return { steps: Math.max(...took.values()), done };
}

test('who polls sees the steps of a build within 8 s, and its completion within 10 s', async () => {
  for (const everyMs of [700, 1900, 4300, 7000]) {
    const { steps, done } = await felt({ everyMs, quietMs: 0 });
    expect(steps, `a step every ${everyMs} ms`).toBeLessThanOrEqual(8000);
    expect(done, `a step every ${everyMs} ms`).toBeLessThanOrEqual(10_000);
  }
});

test('after minutes of silence, completion is felt at once where polls are held, and else within the longest wait', async () => {
  const quietMs = 127_000;
  expect((await felt({ everyMs: 4300, quietMs, waitMs: 20_000 })).done).toBeLessThan(100);
  expect((await felt({ everyMs: 4300, quietMs })).done).toBeLessThanOrEqual(15_000 * 1.05);
});
