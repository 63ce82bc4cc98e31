/** The session of one client. */
export interface DemoSession {
  /** A session that is good for a while. */
  readonly token: () => Promise<string>;
  /** Gets another one, as the one before is refused. */
  readonly renew: () => Promise<unknown>;
}

/** Sessions of a client, each asked for when it is needed and when half of its life is over. */
export function sessionOf(client: number): DemoSession {
  let held: Promise<{ session: string; until: number }> | undefined;

  async function ask(): Promise<{ session: string; until: number }> {
    const answer = await fetch('/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client }),
    });
    if (!answer.ok) throw new Error(`the demo makes no session: ${answer.status}`);
    const { session, expiresInMs }: { session: string; expiresInMs: number } = await answer.json();
    return { session, until: Date.now() + expiresInMs / 2 };
  }

  function renew(): Promise<{ session: string; until: number }> {
    const asked = ask();
    held = asked;
    asked.catch(() => {
      if (held === asked) held = undefined;
    });
    return asked;
  }

  return {
    async token() {
      const now = await (held ?? renew());
      return now.until > Date.now() ? now.session : (await renew()).session;
    },
    renew,
  };
}
