import type { Batch, Cursor, StreamEvent } from './types.js';

/** The number of a transport. What has no right to commit has none that is open. */
export type Generation = number;

/** The place of a client that begins at what is new, until a poll says where that is. */
export const NOW = 'now' as Cursor;

/**
 * The one owner of the place in the stream. Transports hand it batches; a batch and its cursor are taken together or not at all.
 *
 * Three guards: a transport that was switched off has no open generation, so its late answers change nothing; of a batch that begins
 * elsewhere than at the position only what follows the last event is taken, so that what two transports both carry is delivered once;
 * and ids that were delivered are remembered, so that what one transport carries twice is too.
 */
export class Position {
  cursor: Cursor | null;
  #next: Generation = 1;
  readonly #opened = new Set<Generation>();
  readonly #ids = new Set<string>();
  /** The id of the event that was delivered last. */
  #last: string | null = null;

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

  /** The place guard: does what follows `from` follow what was delivered? */
  #isAt(from: Cursor | null): boolean {
    return from === this.cursor || this.#last === null;
  }

  /** The id window: was this event delivered? */
  #isKnown(id: string): boolean {
    return this.#ids.has(id);
  }

  /**
   * Takes the events behind `from`. Returns the ones to deliver, or null if the transport may not commit.
   *
   * If another transport moved the position meanwhile, the batch overlaps what was delivered. Order and ids are the same on every
   * transport: what is new stands behind the event that was delivered last, and a batch without that event is old as a whole.
   */
  commit(generation: Generation, from: Cursor | null, batch: Batch): StreamEvent[] | null {
    if (!this.isOpen(generation)) return null;
    const fresh: StreamEvent[] = [];
    let reached = this.#isAt(from);
    for (const event of batch.events) {
      if (!reached) reached = event.id === this.#last;
      else if (!this.#isKnown(event.id)) {
        fresh.push(event);
        this.#ids.add((this.#last = event.id));
        const [oldest] = this.#ids;
        if (this.#ids.size > this.#window) this.#ids.delete(oldest as string);
      }
    }
    if (from === this.cursor || (reached && batch.events.length > 0)) this.cursor = batch.cursor;
    return fresh;
  }

  /** Begins anew at `to`, once for all that still read from `from`. */
  reset(generation: Generation, from: Cursor | null, to: Cursor): boolean {
    if (!this.isOpen(generation) || from !== this.cursor) return false;
    this.cursor = to;
    this.#ids.clear();
    this.#last = null;
    return true;
  }
}
