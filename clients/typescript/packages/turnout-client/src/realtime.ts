import { createParser } from 'eventsource-parser';
import type { Cursor, StrategyDocument, TransportContext } from './types.js';

const MAX_MESSAGE_CHARACTERS = 1_048_576;
const CONNECT_MS = 10_000;
const HEARTBEAT_MS = 15_000;
const MAX_HEARTBEAT_MS = 600_000;

/** Server-sent events, read with `fetch`, so that the token is in a header. One message is one batch. */
export async function serverSentEvents(context: TransportContext): Promise<void> {
  const ending = new AbortController();
  const end = () => ending.abort();
  context.signal.addEventListener('abort', end);
  if (context.signal.aborted) end();
  let heartbeatMs = HEARTBEAT_MS;
  let live = false;
  let silent = false;
  const die = () => {
    silent = true;
    end();
  };
  // Until it is live, the whole attempt has `connectMs`; afterwards any byte is a sign of life.
  let timer = context.clock.setTimeout(die, numberOf(context.document.realtime?.connectMs) ?? CONNECT_MS);
  const alive = () => {
    if (!live) return;
    context.clock.clearTimeout(timer);
    timer = context.clock.setTimeout(die, heartbeatMs * 2.5);
  };
  try {
    const answer = await open(context, ending.signal);
    if (!answer.body) throw context.error('unsupported', 'this platform does not stream answers');
    let broken = false;
    const read = (text: string) => {
      const message = objectOf(text);
      if (!message) broken = true;
      switch (message?.type) {
        case 'strategy':
          heartbeatMs = Math.min(numberOf(message.heartbeatMs) ?? heartbeatMs, MAX_HEARTBEAT_MS);
          context.strategy(
            message.document as StrategyDocument,
            String(message.etag),
            String(message.position),
            message.ackId as string | undefined,
          );
          break;
        case 'events':
          if (!context.push(message)) end();
          break;
        case 'up-to-date':
          live = true;
          alive();
          context.live();
          break;
        case 'heartbeat':
          context.heartbeat(String(message.etag), String(message.position));
          break;
        case 'reset':
          if (typeof message.cursor === 'string') context.reset(message.cursor as Cursor);
          break;
        case 'goodbye':
          context.goodbye(String(message.reason), numberOf(message.afterMs) ?? 0);
          break;
      }
    };
    const parser = createParser({
      maxBufferSize: MAX_MESSAGE_CHARACTERS,
      onEvent: (event) => {
        if (!ending.signal.aborted && !broken) read(event.data);
      },
      onError: (error) => {
        if (error.type !== 'unknown-field' && error.type !== 'invalid-retry') broken = true;
      },
    });
    const decoder = new TextDecoder();
    const reader = answer.body.getReader();
    // Also where the platform's streams do not end with the request.
    ending.signal.addEventListener('abort', () => void reader.cancel().catch(() => {}));
    for (;;) {
      const { done, value } = await reader.read();
      if (silent) throw new Error('silent');
      if (done) break;
      alive();
      parser.feed(decoder.decode(value, { stream: true }));
      if (broken) throw context.error('bad-answer', 'the realtime stream carried something else');
    }
  } catch (error) {
    if (silent) throw context.error('silent', 'the realtime stream was silent');
    throw error;
  } finally {
    context.clock.clearTimeout(timer);
    context.signal.removeEventListener('abort', end);
    end();
  }
}

/** Opens the stream; a token that is not accepted is replaced once. */
async function open(context: TransportContext, signal: AbortSignal): Promise<Response> {
  for (let attempt = 0; ; attempt += 1) {
    const url = new URL(context.url);
    if (context.cursor) url.searchParams.set('cursor', context.cursor);
    const token = await context.token(attempt > 0);
    const answer = await context.fetch(url, {
      headers: { Accept: 'text/event-stream', Authorization: `Bearer ${token}` },
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal,
    });
    if (answer.status === 200) return answer;
    const error = await context.refusal(answer);
    if (answer.status !== 401 || attempt > 0) throw error;
  }
}

/** What is valid and no message is one without a type; null: it is not JSON. */
function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value ? (value as Record<string, unknown>) : {};
  } catch {
    return null;
  }
}

export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && value > 0 ? value : null;
}
