import { batchOf } from './batch.js';
import { asTurnoutError, TurnoutError } from './error.js';
import { refusal } from './http.js';
import { takeSlot } from './slots.js';

/** What pieces that load later need of the start. They are handed it: did they import it, bundlers would cut the start in two. */
export const start = { TurnoutError, asTurnoutError, refusal, batchOf, takeSlot };

export type Start = typeof start;
