import { vi } from 'vitest';
import { createTurnoutClient } from '../src/index.js';
import { createFakeTurnout } from '../src/testing.js';
import type { ClientOptions, TurnoutClient } from '../src/types.js';

/** A client of a fake server, on fake timers, and what it delivered. */
export function setUp(options: Partial<ClientOptions> = {}, limit?: number) {
  const server = createFakeTurnout(limit ? { limit } : {});
  const client = createTurnoutClient({
    baseUrl: 'https://turnout.example',
    flag: 'build',
    stream: 'b-42',
    auth: () => 'session-sentinel',
    fetch: server.fetch,
    random: () => 0.5,
    ...options,
  });
  const heard = listen(client);
  return { server, client, ...heard };
}

export function listen(client: TurnoutClient) {
  const ids: string[] = [];
  const resets: string[] = [];
  const errors: string[] = [];
  const modes: string[] = [];
  client.on('events', (events) => void ids.push(...events.map((event) => event.id)));
  client.on('reset', ({ cursor }) => void resets.push(String(cursor)));
  client.on('error', (error) => void errors.push(error.code));
  client.on('switch', ({ to }) => void modes.push(to));
  return { ids, resets, errors, modes };
}

export const advance = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** `count` ids, in order, from `from` on. */
export const ids = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `e${from + n}`);

/** Numbers in [0, 1) that a seed decides. */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}
