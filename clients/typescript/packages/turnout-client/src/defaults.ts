import type { StrategyDocument } from './types.js';

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
  if (typeof json !== 'object' || json === null) return null;
  const said = json as Partial<StrategyDocument>;
  if (typeof said.strategy !== 'string') return null;
  const own = defaultDocument(flag);
  const polling: Record<string, unknown> = { ...own.polling, ...said.polling };
  for (const [name, value] of Object.entries(own.polling)) {
    const given = polling[name];
    if (!Number.isFinite(given) || (given as number) < 0) polling[name] = value;
  }
  return { ...own, ...said, flag, polling: polling as StrategyDocument['polling'] };
}
