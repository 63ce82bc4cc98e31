import { expect, test } from 'vitest';
import { Position } from '../src/position.js';
import type { Batch, Cursor } from '../src/types.js';

const at = (n: number) => String(n) as Cursor;
const batch = (...ids: number[]): Batch => ({
  events: ids.map((n) => ({ id: `e${n}`, cursor: at(n), type: 't', at: '', data: null })),
  cursor: at(Math.max(...ids)),
  hasMore: false,
});

test('a transport that was switched off commits nothing', () => {
  const position = new Position(null, 10);
  const old = position.open();
  position.close(old);
  expect(position.commit(old, null, batch(1))).toBeNull();
  expect(position.cursor).toBeNull();
  expect(position.reset(old, null, at(9))).toBe(false);
});

test('what two transports carry is delivered once, and the place never goes back', () => {
  const position = new Position(null, 10);
  const polls = position.open();
  const stream = position.open();
  expect(position.commit(polls, null, batch(1, 2, 3))?.length).toBe(3);
  expect(position.commit(stream, null, batch(1, 2))).toEqual([]);
  expect(position.cursor).toBe('3');
  expect(position.commit(stream, at(2), batch(3, 4))?.map((event) => event.id)).toEqual(['e4']);
  expect(position.cursor).toBe('4');
});

test('more events than ids are remembered, carried by two transports, are delivered once', () => {
  const position = new Position(null, 10);
  const polls = position.open();
  const stream = position.open();
  const many = Array.from({ length: 50 }, (_, n) => n + 1);
  expect(position.commit(polls, null, batch(...many))?.length).toBe(50);
  expect(position.commit(stream, null, batch(...many.slice(0, 30)))).toEqual([]);
  expect(position.cursor).toBe('50');
  expect(position.commit(stream, at(30), batch(...many.slice(30), 51))?.map((event) => event.id)).toEqual(['e51']);
  expect(position.cursor).toBe('51');
});

test('what one transport carries twice is delivered once', () => {
  const position = new Position(null, 10);
  const polls = position.open();
  expect(position.commit(polls, null, batch(1, 2))?.length).toBe(2);
  expect(position.commit(polls, at(2), batch(2, 3))?.map((event) => event.id)).toEqual(['e3']);
});

test('a stream that begins anew is told of once, however many read it', () => {
  const position = new Position(at(5), 10);
  const polls = position.open();
  const stream = position.open();
  expect(position.reset(polls, at(5), at(0))).toBe(true);
  expect(position.reset(stream, at(5), at(0))).toBe(false);
  expect(position.commit(polls, at(0), batch(1))?.length).toBe(1);
});
