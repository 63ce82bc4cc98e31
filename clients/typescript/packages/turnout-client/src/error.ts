/** Something that did not go as asked. `code` is stable; neither it nor the message holds a credential or an address. */
export class TurnoutError extends Error {
  override readonly name = 'TurnoutError';
  constructor(
    readonly code: string,
    message: string,
    readonly status: number | null = null,
    /** Not to be asked again before. */
    readonly retryAfterMs = 0,
    /** Where to go on from, if the server said so. */
    readonly cursor: string | null = null,
  ) {
    super(message);
  }

  /** Asking again changes nothing, until the application does something. */
  get fatal(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export function asTurnoutError(error: unknown): TurnoutError {
  if (error instanceof TurnoutError) return error;
  return new TurnoutError('unreachable', 'the server was not reached; it is asked again');
}

export const badAnswer = (): TurnoutError => new TurnoutError('bad-answer', 'the server answered something else');
