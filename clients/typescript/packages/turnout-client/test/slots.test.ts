import { afterEach, expect, test, vi } from 'vitest';
import { takeSlot } from '../src/slots.js';

afterEach(() => vi.unstubAllGlobals());

/** Web Locks in memory, with what another script of the origin may do to them. */
function locks(refuses?: Error) {
  const held = new Map<string, (reason: Error) => void>();
  return {
    held,
    request(name: string, _options: object, given: (lock: object | null) => unknown): Promise<unknown> {
      if (refuses) return Promise.reject(refuses);
      if (held.has(name)) return Promise.resolve(given(null));
      return new Promise((resolve, reject) => {
        held.set(name, reject);
        void Promise.resolve(given({})).then((value) => {
          held.delete(name);
          resolve(value);
        });
      });
    },
  };
}

const page = (visibilityState: string, own?: object) => {
  vi.stubGlobal('document', { visibilityState });
  vi.stubGlobal('navigator', own ? { locks: own } : {});
};

test('a browser has three places, and what is given back is free again', async () => {
  page('visible', locks());
  const [first, second, third, fourth] = await Promise.all(
    Array.from({ length: 4 }, () => takeSlot('https://a.example')),
  );
  expect([first, second, third].every(Boolean)).toBe(true);
  expect(fourth).toBe(null);
  second?.release();
  await Promise.resolve();
  expect(await takeSlot('https://a.example')).not.toBe(null);
});

test('where locks are refused, as in a sandboxed frame, there is no place; without them a visible page has one', async () => {
  page('visible', locks(new DOMException('denied', 'SecurityError')));
  expect(await takeSlot('https://a.example')).toBe(null);
  page('visible');
  expect(await takeSlot('https://a.example')).not.toBe(null);
  page('hidden');
  expect(await takeSlot('https://a.example')).toBe(null);
});

test('a lock that another script steals disturbs nothing', async () => {
  const own = locks();
  page('visible', own);
  const slot = await takeSlot('https://a.example');
  for (const stolen of own.held.values()) stolen(new DOMException('stolen', 'AbortError'));
  await new Promise((resolve) => setTimeout(resolve));
  slot?.release();
  await new Promise((resolve) => setTimeout(resolve));
});
