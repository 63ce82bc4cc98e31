import type { Batch, Cursor, StreamEvent } from './types.js';

/** The number of a transport. What has no right to commit has none that is open. */
export type Generation = number;

/**
 * The one owner of the place in the stream. Transports hand it batches; a batch and its cursor are taken together or not at all.
 *
 * Two guards: a transport that was switched off has no open generation, so its late answers change nothing; and ids that were delivered
 * are remembered, so that what two transports both carry is delivered once.
 */
export class Position {
  cursor: Cursor | null;
  #next: Generation = 1;
  readonly #opened = new Set<Generation>();
  readonly #ids = new Set<string>();

  readonly #window: number;

  constructor(initial: Cursor | null, window: number) {
    this.#window = window;
    this.cursor = initial;
  }

  open(): Generation {
    this.#opened.add(this.#next);
    return this.#next++;
  }

  close(generation: Generation): void {
    this.#opened.delete(generation);
  }

  /** The generation guard: may this transport commit? */
  isOpen(generation: Generation): boolean {
    return this.#opened.has(generation);
  }

  /** The id window: was this event delivered? */
  #isKnown(id: string): boolean {
    return this.#ids.has(id);
  }

  /**
   * Takes the events behind `from`. Returns the ones to deliver, or null if the transport may not commit.
   *
   * If another transport moved the position meanwhile, the batch overlaps what was delivered. Order and ids are the same on every
   * transport: a batch with an event that is new ends behind the position, and one without does not move it.
   */
  commit(generation: Generation, from: Cursor | null, batch: Batch): StreamEvent[] | null {
    if (!this.isOpen(generation)) return null;
    const fresh: StreamEvent[] = [];
    for (const event of batch.events) {
      if (this.#isKnown(event.id)) continue;
      fresh.push(event);
      this.#remember(event.id);
    }
    if (fresh.length > 0 || from === this.cursor) this.cursor = batch.cursor;
    return fresh;
  }

  /** Begins anew at `to`, once for all that still read from `from`. */
  reset(generation: Generation, from: Cursor | null, to: Cursor): boolean {
    if (!this.isOpen(generation) || from !== this.cursor) return false;
    this.cursor = to;
    this.#ids.clear();
    return true;
  }

  #remember(id: string): void {
    this.#ids.add(id);
    if (this.#ids.size > this.#window) for (const oldest of this.#ids) return void this.#ids.delete(oldest);
  }
}
