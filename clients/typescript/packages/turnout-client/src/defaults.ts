import type { StrategyDocument } from './types.js';

/** Eleven days, in milliseconds. */
const MAX_NUMBER = 1e9;

/** What a client goes by that knows nothing: it polls. */
export function defaultDocument(flag: string): StrategyDocument {
  return {
    flag,
    strategy: 'polling',
    reason: 'ERROR',
    rule: 'error',
    validForMs: 60_000,
    staleIfErrorMs: 86_400_000,
    enterSpreadMs: 5000,
    watch: { kind: 'sse', url: '', ackUrl: '' },
    report: { url: '', everyMs: 0 },
    polling: { startMs: 4000, minMs: 3000, maxMs: 15_000, factor: 1.5, dedupeMs: 2000, limit: 50, waitMs: 0 },
  };
}

/** A document as the wire has it, with what is not as it should be left at its default. Null if it is none. */
export function documentOf(json: unknown, flag: string): StrategyDocument | null {
  const { strategy } = (json ?? {}) as Partial<StrategyDocument>;
  return typeof strategy === 'string' ? { ...sound(defaultDocument(flag), json), flag } : null;
}

/** The members of `said`, and the usual ones for those that are missing, of another type, or numbers no wait can be. */
function sound<T extends object>(usual: T, said: unknown): T {
  const taken = { ...usual, ...(said as object) } as Record<string, unknown>;
  for (const [name, own] of Object.entries(usual)) {
    const given = taken[name];
    // What is no number is neither.
    const isNoWait = (given as number) < 0 || (given as number) > MAX_NUMBER;
    if (typeof given !== typeof own || isNoWait) taken[name] = own;
    else if (typeof own === 'object') taken[name] = sound(own, given);
  }
  return taken as T;
}
