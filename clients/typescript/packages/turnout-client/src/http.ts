import { TurnoutError } from './error.js';
import { retryAfterOf } from './pace.js';
import type { ClientOptions, Clock } from './types.js';

const REQUEST_MS = 10_000;

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

  /** An address of a document, or one of ours below the path of `baseUrl`. */
  url(address: string | undefined, own: string): URL {
    const filled = (address ?? this.#base.pathname.replace(/\/$/, '') + own).replace(
      '{stream}',
      encodeURIComponent(this.#options.stream ?? ''),
    );
    return new URL(filled, this.#base);
  }

  trusts(url: URL): boolean {
    return this.#trusted.has(url.origin);
  }

  /** One request, with its body read. Throws a `TurnoutError` for a refusal; 304 is an answer. */
  async ask(
    url: URL,
    init: { method?: string; headers?: Record<string, string>; body?: unknown; holdMs?: number; signal: AbortSignal },
  ): Promise<{ status: number; headers: Headers; json: unknown }> {
    const sent: Record<string, string> = { ...init.headers };
    const credential = this.trusts(url) ? await this.#options.auth?.() : undefined;
    if (credential) sent.Authorization = `Bearer ${credential}`;
    if (init.body !== undefined) sent['Content-Type'] = 'application/json';
    const ending = new AbortController();
    const end = () => ending.abort();
    if (init.signal.aborted) end();
    init.signal.addEventListener('abort', end);
    const timer = this.clock.setTimeout(end, REQUEST_MS + (init.holdMs ?? 0));
    const began = this.clock.now();
    try {
      const answer = await this.fetch(url, {
        method: init.method ?? 'GET',
        headers: sent,
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        signal: ending.signal,
        ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
      });
      const { status, headers } = answer;
      const time = Number(headers.get('Turnout-Time'));
      // What was held says the time of its end.
      if (time) this.skewMs = time - (init.holdMs ? this.clock.now() : (began + this.clock.now()) / 2);
      if (status === 304 || status === 204) return { status, headers, json: null };
      if (!answer.ok) throw await refusal(answer);
      return { status, headers, json: await answer.json() };
    } finally {
      this.clock.clearTimeout(timer);
      init.signal.removeEventListener('abort', end);
    }
  }
}

/** What a refusal says. The server's `detail` is left out: it is for people at the server. */
export async function refusal(answer: Response): Promise<TurnoutError> {
  const said: Record<string, unknown> = (await answer.json().catch(() => null)) ?? {};
  const code = typeof said.code === 'string' ? said.code : `http-${answer.status}`;
  const cursor = typeof said.cursor === 'string' ? said.cursor : null;
  const error = new TurnoutError(
    code,
    `the server answered ${answer.status} (${code})`,
    answer.status,
    retryAfterOf(answer.headers, answer.status === 429),
    cursor,
  );
  return Object.assign(error, { headers: answer.headers });
}
