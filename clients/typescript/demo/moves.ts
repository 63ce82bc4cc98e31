import type { Mode } from 'turnout-client';
import { clients } from './count.js';

/** Moves of one kind belong together if no longer a time is between two of them. */
const TOGETHER_MS = 5000;
/** How many lines are kept. */
const KEPT = 60;

/** Says which clients moved, and how long that took from the first to the last of them. */
export class Moves {
  #kind = '';
  #clients = new Set<number>();
  #first = 0;
  #last = 0;

  constructor(
    readonly list: HTMLElement,
    readonly summary: HTMLElement,
    readonly name: (mode: Mode) => string,
  ) {}

  tell(client: number, from: Mode, to: Mode, reason: string): void {
    // Before its first answer a client polls, as one does that knows nothing.
    if (from === 'idle') return;
    const now = performance.now();
    const line = document.createElement('li');
    const time = new Date().toLocaleTimeString();
    line.textContent = `${time}  client ${client}: ${this.name(from)} → ${this.name(to)} (${reason})`;
    this.list.prepend(line);
    while (this.list.children.length > KEPT) this.list.lastChild?.remove();
    // On its way into realtime a client connects first; that is no move of its own.
    if (to === 'connecting') return;
    const kind = this.name(to);
    if (kind !== this.#kind || now - this.#last > TOGETHER_MS) {
      this.#kind = kind;
      this.#clients.clear();
      this.#first = now;
    }
    this.#clients.add(client);
    this.#last = now;
    const took = Math.round(now - this.#first);
    const count = this.#clients.size;
    this.summary.textContent =
      count === 1
        ? `${time}: ${clients(count)} is now ${kind}.`
        : `${time}: ${clients(count)} are now ${kind}, the last one ${took} ms after the first.`;
  }
}
