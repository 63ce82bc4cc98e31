import { badAnswer, TurnoutError } from './error.js';
import { retryAfterOf } from './pace.js';
import type { ClientOptions, Clock } from './types.js';

const REQUEST_MS = 10_000;
/** A page holds 256 KiB of data, or one event, and up to 1000 ids and cursors. */
const MAX_ANSWER_CHARACTERS = 2_097_152;
const MAX_NAME_CHARACTERS = 1024;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

/** Asks the server. Credentials go to the origin of `baseUrl` and to trusted origins alone. */
export class Http {
  readonly #base: URL;
  readonly #trusted: ReadonlySet<string>;
  readonly fetch: typeof fetch;
  /** Told of each stream that failed, if reports listen. */
  declare failed?: (() => void) | undefined;
  /** How far the server's clock is ahead of this one, by its last answer that says the time. */
  skewMs: number | null = null;

  readonly #options: ClientOptions<never>;

  constructor(
    options: ClientOptions<never>,
    readonly clock: Clock,
  ) {
    this.#options = options;
    this.#base = new URL(options.baseUrl);
    this.#trusted = new Set([this.#base.origin, ...(options.trustedOrigins ?? [])]);
    this.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** An address of a document, or without one ours below the path of `baseUrl`. */
  url(address: string | undefined, own: string): URL {
    const filled = (address || this.#base.pathname.replace(/\/$/, '') + own).replaceAll(
      '{stream}',
      encodeURIComponent(this.#options.stream ?? ''),
    );
    return new URL(filled, this.#base);
  }

  trusts(url: URL): boolean {
    return this.#trusted.has(url.origin);
  }

  /** What says more than a question for events goes to trusted origins alone, whatever address a document names. */
  demand(url: URL): void {
    if (!this.trusts(url)) throw new TurnoutError('untrusted-origin', 'the server named another origin');
  }

  /** One request, a POST if it has a body, with its answer read. Throws a `TurnoutError` for a refusal; 304 is an answer. */
  async ask(
    url: URL,
    init: { headers?: Record<string, string>; body?: object; holdMs?: number; signal: AbortSignal },
  ): Promise<Answer> {
    const ending = new AbortController();
    let end = () => {};
    // Also where `auth`, or the platform's requests, do not end with their signal.
    const late = new Promise<never>((_, reject) => {
      end = () => {
        ending.abort();
        reject(new Error());
      };
    });
    const timer = this.clock.setTimeout(end, REQUEST_MS + (init.holdMs ?? 0));
    init.signal.addEventListener('abort', end);
    if (init.signal.aborted) end();
    try {
      return await Promise.race([this.#exchange(url, { ...init, signal: ending.signal }), late]);
    } finally {
      this.clock.clearTimeout(timer);
      init.signal.removeEventListener('abort', end);
    }
  }

  async #exchange(url: URL, { headers: more, body, holdMs, signal }: Parameters<Http['ask']>[1]): Promise<Answer> {
    const sent: Record<string, string> = { ...more };
    if (body) {
      this.demand(url);
      sent['Content-Type'] = 'application/json';
    }
    const credential = this.trusts(url) && (await this.#options.auth?.());
    if (credential) sent.Authorization = `Bearer ${credential}`;
    const began = this.clock.now();
    const answer = await this.fetch(url, {
      method: body ? 'POST' : 'GET',
      headers: sent,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal,
      body: body ? JSON.stringify(body) : null,
    });
    const { status, headers } = answer;
    const time = Number(headers.get('Turnout-Time'));
    // What was held says the time of its end.
    if (time) this.skewMs = time - (holdMs ? this.clock.now() : (began + this.clock.now()) / 2);
    const isEmpty = status === 304 || status === 204;
    if (!isEmpty && !answer.ok) throw await refusal(answer);
    return { status, headers, json: isEmpty ? null : await jsonOf(answer) };
  }
}

/** The JSON of an answer. What it may take of memory has a bound, also when what was sent was packed small. */
async function jsonOf(answer: Response): Promise<unknown> {
  // Some platforms do not stream answers.
  if (!answer.body) return answer.json();
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return JSON.parse(text);
    text += decoder.decode(value, { stream: true });
    if (text.length > MAX_ANSWER_CHARACTERS) {
      void reader.cancel().catch(() => {});
      throw badAnswer();
    }
  }
}

/** What a refusal says. The server's `detail` is left out: it is for people at the server. */
export async function refusal(answer: Response): Promise<TurnoutError> {
  const { status, headers } = answer;
  const said = ((await jsonOf(answer).catch(() => null)) ?? {}) as Record<string, unknown>;
  const code = isShort(said.code) ? said.code : `http-${status}`;
  const cursor = isShort(said.cursor) ? said.cursor : null;
  const retryAfterMs = retryAfterOf(headers, status === 429);
  const error = new TurnoutError(code, `the server answered ${status} (${code})`, status, retryAfterMs, cursor);
  return Object.assign(error, { headers });
}

/** A name as it may be kept. */
export const isShort = (name: unknown): name is string =>
  typeof name === 'string' && name.length <= MAX_NAME_CHARACTERS;
