let held: { session: string; until: number } | undefined;

/** The session of who is signed in, asked for again when half of its life is over. */
export async function session(): Promise<string> {
  if (held && Date.now() < held.until) return held.session;
  const answer = await fetch('/session', { method: 'POST' });
  if (!answer.ok) throw new Error(`no session: ${answer.status}`);
  const { session, expiresInMs } = await answer.json();
  held = { session, until: Date.now() + expiresInMs / 2 };
  return session;
}
