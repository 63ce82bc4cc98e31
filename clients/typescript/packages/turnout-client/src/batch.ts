import { badAnswer } from './error.js';
import { isShort } from './http.js';
import type { Batch, Cursor, StreamEvent } from './types.js';

/** A batch as the wire has it. Throws if it is not one: half a batch is never taken. */
export function batchOf(json: unknown): Batch {
  const said = json as Partial<Batch> | null;
  const isEvent = (event: unknown) => isShort((event as StreamEvent | null)?.id);
  if (!isShort(said?.cursor) || !Array.isArray(said?.events) || !said.events.every(isEvent)) throw badAnswer();
  return {
    events: said.events as StreamEvent[],
    cursor: said.cursor as Cursor,
    hasMore: said.hasMore === true,
    ended: said.ended === true,
  };
}
