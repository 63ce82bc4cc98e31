import { type FlagReport, MAX_SWITCHES, Meter, type Reported, Window } from './meter.js';
import type { components } from './wire.js';

const NAME = 'turnout-client';
const VERSION = '0.1.0';
const MAX_FLAGS = 32;
const SOON_MS = 500;
const AGAIN_MS = 5000;
const POST_MS = 3000;

/** What a client that reports can do. */
export interface Reporting {
  /** The user pressed "report a problem": the next report says so, and comes soon. */
  complain(): void;
  /** Reports what is left. When it resolves, nothing of it is left. */
  leave(): Promise<void>;
}

/** What one client has to report. */
interface Part {
  readonly of: Reported;
  readonly report: FlagReport;
}

/** The tab, once for each address that is reported to. */
const tabs = new Map<string, Tab>();

/** Reports how following goes, together with the other clients of the tab. */
export function report(reported: Reported): Reporting {
  const { href } = reported.http.url(reported.document.report.url, '');
  const tab = tabs.get(href) ?? new Tab(href, reported);
  tabs.set(href, tab);
  return tab.join(reported);
}

class Tab {
  readonly #meters = new Set<Meter>();
  /** What clients did that left since the last report. */
  #left: Part[] = [];
  #window: Window;
  #next: unknown;
  readonly #again = new Set<unknown>();
  readonly #posts = new Set<Promise<void>>();

  readonly #href: string;
  readonly #first: Reported;

  constructor(href: string, first: Reported) {
    this.#href = href;
    this.#first = first;
    this.#window = new Window(first.http.clock.now());
  }

  join(reported: Reported): Reporting {
    if (this.#meters.size === 0) {
      this.#later(this.#everyMs() * (0.5 + 0.5 * (reported.options.random ?? Math.random)()));
      this.#listen('addEventListener');
    }
    const meter = new Meter(reported, () => this.#window);
    this.#meters.add(meter);
    return {
      complain: () => {
        meter.complains = true;
        this.#later(SOON_MS);
      },
      leave: async () => {
        this.#left.push(...partsOf([meter]));
        this.#meters.delete(meter);
        meter.leave();
        if (this.#meters.size > 0) return;
        tabs.delete(this.#href);
        this.#listen('removeEventListener');
        for (const timer of this.#again) this.#first.http.clock.clearTimeout(timer);
        await this.#send();
        await Promise.all(this.#posts);
      },
    };
  }

  #everyMs(): number {
    return Math.max(1000, this.#first.document.report.everyMs);
  }

  #later(ms: number): void {
    this.#first.http.clock.clearTimeout(this.#next);
    this.#next = this.#first.http.clock.setTimeout(() => void this.#send(), ms);
  }

  /** Some browsers put a page aside without hiding it first. */
  readonly #onHidden = ({ type }: Event): void => {
    if (type === 'pagehide' || document.visibilityState === 'hidden') void this.#send();
  };

  #listen(how: 'addEventListener' | 'removeEventListener'): void {
    if (typeof document === 'undefined' || typeof window === 'undefined') return;
    document[how]('visibilitychange', this.#onHidden);
    window[how]('pagehide', this.#onHidden);
  }

  /** Reports what happened, once for each user. It never throws, and nothing waits for it. */
  async #send(): Promise<void> {
    const { clock } = this.#first.http;
    const windowMs = this.#window.lengthMs(clock.now());
    const parts = [...this.#left, ...partsOf(this.#meters)];
    this.#left = [];
    this.#window = new Window(clock.now());
    clock.clearTimeout(this.#next);
    if (this.#meters.size > 0) this.#later(this.#everyMs());
    const users = new Map<string, Part[]>();
    for (const part of parts) {
      const credential = await credentialOf(part.of);
      if (credential) users.set(credential, [...(users.get(credential) ?? []), part]);
    }
    for (const [credential, of] of users) {
      const flags = together(of).slice(0, MAX_FLAGS);
      const body: components['schemas']['Report'] = { client: NAME, version: VERSION, windowMs, flags };
      const fetch = of[0]?.of.http.fetch ?? this.#first.http.fetch;
      this.#post(() => this.#try(fetch, credential, JSON.stringify(body)), true);
    }
  }

  #post(send: () => Promise<number | null>, first: boolean): void {
    const { clock } = this.#first.http;
    const post = send().then((wait) => {
      this.#posts.delete(post);
      if (wait === null || !first || this.#meters.size === 0) return;
      const timer = clock.setTimeout(() => {
        this.#again.delete(timer);
        this.#post(send, false);
      }, wait);
      this.#again.add(timer);
    });
    this.#posts.add(post);
  }

  /** One try; the wait before another one, null if none helps. */
  async #try(fetch: Reported['http']['fetch'], credential: string, body: string): Promise<number | null> {
    const { clock } = this.#first.http;
    const ending = new AbortController();
    const { signal } = ending;
    const timer = clock.setTimeout(() => ending.abort(), POST_MS);
    // Also where the platform's requests do not end with their signal.
    const late = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    try {
      const asked = fetch(this.#href, {
        method: 'POST',
        headers: { Authorization: `Bearer ${credential}`, 'Content-Type': 'application/json' },
        body,
        // It outlives its page; a beacon would, too, but carries no credential.
        keepalive: true,
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        signal,
      });
      const answer = await Promise.race([asked, late]);
      const helps = answer.status === 429 || answer.status >= 500;
      const seconds = Number(answer.headers.get('Retry-After'));
      return helps ? Math.max(AGAIN_MS, seconds * 1000 || 0) : null;
    } catch {
      return AGAIN_MS;
    } finally {
      clock.clearTimeout(timer);
    }
  }
}

function partsOf(meters: Iterable<Meter>): Part[] {
  return [...meters].flatMap((meter) => {
    const report = meter.take();
    return report ? [{ of: meter.reported, report }] : [];
  });
}

/** The credential a client shows to this address, if it may go there. */
async function credentialOf({ http, options, document }: Reported): Promise<string | undefined> {
  try {
    return http.trusts(http.url(document.report.url, '')) ? await options.auth?.() : undefined;
  } catch {
    return undefined;
  }
}

/** One report a flag, whatever number of its streams is followed. */
function together(parts: readonly Part[]): FlagReport[] {
  const flags = new Map<string, FlagReport>();
  for (const { report } of parts) {
    const before = flags.get(report.flag);
    const both = before ? (sum(before, report) as FlagReport) : report;
    flags.set(report.flag, { ...both, switches: both.switches.slice(0, MAX_SWITCHES) });
  }
  return [...flags.values()];
}

/** Numbers and ranges are added, switches joined, and a complaint of one is one of both. */
function sum(a: unknown, b: unknown): unknown {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (typeof a === 'boolean') return a || b;
  if (Array.isArray(a) && Array.isArray(b)) {
    return typeof a[0] === 'number' ? a.map((count, place) => sum(count, b[place])) : [...a, ...b];
  }
  if (typeof a !== 'object' || a === null) return a;
  const other = b as Record<string, unknown>;
  return Object.fromEntries(Object.entries(a).map(([name, value]) => [name, sum(value, other[name])]));
}
