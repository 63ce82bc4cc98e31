import { describe, expect, test } from 'vitest';
import { defaultDocument } from '../src/defaults.js';
import { allowanceOf, Pace, retryAfterOf } from '../src/pace.js';
import { isLater } from '../src/revision.js';

const { polling } = defaultDocument('build');
const nothing = { allowance: null, retryAfterMs: 0 };

describe('waits', () => {
  test('an idle stream is asked for less and less often, and events reset that', () => {
    const pace = new Pace(4000);
    const waits = [1, 2, 3, 4, 5, 6].map((n) => pace.after('empty', polling, n * 15_000, 0.5, nothing));
    expect(waits).toEqual([4000, 6000, 9000, 13_500, 15_000, 15_000]);
    expect(pace.after('events', polling, 200_000, 0.5, nothing)).toBe(4000);
  });

  test('the time for which a poll was held counts as waiting', () => {
    const table: [string, 'empty' | 'events', number, number][] = [
      ['held to its end', 'empty', 25_000, 0],
      ['answered at once, as it could not be held', 'empty', 20, 3980],
      ['answered sooner, as the flag changed', 'empty', 3500, 500],
      ['an event after a while', 'events', 9000, 0],
      ['an event at once', 'events', 100, 3900],
    ];
    const long = { ...polling, waitMs: 25_000 };
    for (const [what, outcome, tookMs, wait] of table) {
      const pace = new Pace(4000);
      expect(pace.after(outcome, long, 100_000, 0.5, { ...nothing, tookMs, held: true }), what).toBe(wait);
    }
    // Held for less than two polls have to be apart.
    expect(
      new Pace(4000).after('empty', { ...long, waitMs: 1000 }, 0, 0.5, { ...nothing, tookMs: 1000, held: true }),
    ).toBe(2000);
    // Of an allowance that others use up, this one takes its part and no more.
    const allowance = { quota: 60, windowMs: 60_000, left: 10 };
    const last = new Pace(4000).after('empty', long, 0, 0.5, {
      allowance,
      retryAfterMs: 0,
      tookMs: 25_000,
      held: true,
    });
    expect(last).toBe((60_000 * 50) / (0.8 * 60) - 25_000);
  });

  test('no wait is outside its bounds by more than a twentieth', () => {
    for (const random of [0, 0.25, 0.999]) {
      const pace = new Pace(4000);
      for (let n = 0; n < 50; n += 1) {
        const wait = pace.after('empty', polling, n * 4000, random, nothing);
        expect(wait).toBeGreaterThanOrEqual(3000 * 0.95);
        expect(wait).toBeLessThanOrEqual(15_000 * 1.05);
      }
    }
  });

  test('never earlier than the server said', () => {
    const pace = new Pace(4000);
    expect(pace.after('limited', polling, 0, 0, { allowance: null, retryAfterMs: 33_000 })).toBe(33_000);
    expect(pace.after('failed', polling, 0, 0, { allowance: null, retryAfterMs: 70_000 })).toBe(70_000);
  });

  test('failures wait up to a minute', () => {
    const pace = new Pace(4000);
    const waits = Array.from({ length: 8 }, () => pace.after('failed', polling, 0, 1, nothing));
    expect(waits).toEqual([4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
  });

  test('a drain keeps half of the allowance for others', () => {
    const pace = new Pace(4000);
    let fast = 0;
    for (let n = 0; n < 100; n += 1) {
      if (
        pace.after('more', polling, n, 0.5, {
          allowance: { quota: 60, windowMs: 60_000, left: 59 - n },
          retryAfterMs: 0,
        }) === 0
      )
        fast += 1;
    }
    expect(fast).toBeLessThanOrEqual(30);
    expect(fast).toBeGreaterThanOrEqual(19);
  });

  test('five active tabs of one user stay below the allowance together', () => {
    const tabs = Array.from({ length: 5 }, (_, n) => ({ pace: new Pace(4000), next: n * 300 }));
    const answered: number[] = [];
    let refused = 0;
    for (let now = 0; now < 600_000; now += 50) {
      for (const tab of tabs) {
        if (now < tab.next) continue;
        const used = answered.filter((at) => at > now - 60_000).length;
        const limited = used >= 60;
        if (limited) refused += 1;
        else answered.push(now);
        const allowance = { quota: 60, windowMs: 60_000, left: Math.max(0, 59 - used) };
        const wait = tab.pace.after(limited ? 'limited' : 'events', polling, now, 0.5, {
          allowance,
          retryAfterMs: limited ? 1000 : 0,
        });
        expect(wait).toBeLessThanOrEqual(15_000 * 1.05);
        tab.next = now + wait;
      }
    }
    expect(refused).toBeLessThanOrEqual(3);
  });
});

describe('fields of answers', () => {
  test('an allowance is read, and what is malformed is ignored', () => {
    const headers = new Headers({ 'RateLimit-Policy': '"feed";q=60;w=60', RateLimit: '"feed";r=57;t=4' });
    expect(allowanceOf(headers)).toEqual({ quota: 60, windowMs: 60_000, left: 57 });
    expect(retryAfterOf(headers, true)).toBe(4000);
    for (const bad of ['', '"feed"', 'r=-1', '"feed";r=nine', '"feed";r=99999999999999', '\u00ff;;;;=']) {
      expect(allowanceOf(new Headers({ 'RateLimit-Policy': '"feed";q=60;w=60', RateLimit: bad }))).toBeNull();
    }
    expect(retryAfterOf(new Headers({ 'Retry-After': 'soon' }), true)).toBe(0);
  });

  test('positions are compared by revision, then by count', () => {
    expect(isLater('214', '213+9')).toBe(true);
    expect(isLater('213+2', '213')).toBe(true);
    expect(isLater('213', '213')).toBe(false);
    expect(isLater('rubbish', '1')).toBe(false);
    expect(isLater('1', null)).toBe(true);
  });
});
