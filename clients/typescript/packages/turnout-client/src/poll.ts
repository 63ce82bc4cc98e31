import { TurnoutError } from './error.js';
import type { Http } from './http.js';
import { type Allowance, allowanceOf, type Outcome, type Polling } from './pace.js';
import type { Batch, Cursor, StreamEvent } from './types.js';

const DRAIN_LIMIT = 1000;

/** An answer to a poll. Its batch is null if there was nothing new. */
export interface Polled {
  readonly batch: Batch | null;
  readonly outcome: Outcome;
  readonly allowance: Allowance | null;
  readonly flagRevision: string | null;
  readonly etag: string | null;
}

/** Asks for the page behind `cursor`. */
export async function poll(
  http: Http,
  polling: Polling,
  url: URL,
  from: { cursor: Cursor | 'now' | null; etag: string | null; draining: boolean; holdMs: number },
  signal: AbortSignal,
): Promise<Polled> {
  const asked = new URL(url);
  if (from.cursor) asked.searchParams.set('cursor', from.cursor);
  asked.searchParams.set('limit', String(from.draining ? DRAIN_LIMIT : polling.limit));
  if (from.holdMs > 0) asked.searchParams.set('wait', String(from.holdMs));
  const { status, headers, json } = await http.ask(asked, {
    headers: from.etag ? { 'If-None-Match': from.etag } : {},
    holdMs: from.holdMs,
    signal,
  });
  const said = { allowance: allowanceOf(headers), flagRevision: headers.get('Turnout-Flag-Revision') };
  if (status === 304) return { batch: null, outcome: 'empty', etag: from.etag, ...said };
  const batch = batchOf(json);
  const outcome = batch.hasMore ? 'more' : batch.events.length > 0 ? 'events' : 'empty';
  return { batch, outcome, etag: headers.get('ETag'), ...said };
}

/** A batch as the wire has it. Throws if it is not one: half a batch is never taken. */
export function batchOf(json: unknown): Batch {
  const said = json as Partial<Batch> | null;
  const whole =
    said &&
    typeof said.cursor === 'string' &&
    Array.isArray(said.events) &&
    said.events.every((event) => isEvent(event));
  if (!whole) throw new TurnoutError('bad-answer', 'the server answered with something that is not a page of events');
  return {
    events: said.events as StreamEvent[],
    cursor: said.cursor as Cursor,
    hasMore: said.hasMore === true,
    ended: said.ended === true,
  };
}

function isEvent(event: unknown): boolean {
  return typeof event === 'object' && event !== null && typeof (event as StreamEvent).id === 'string';
}
