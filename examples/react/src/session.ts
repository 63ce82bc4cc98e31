/**
 * How one user asks: with a session that is asked for again when half of its life is over, or when it was refused. Another user needs
 * another one of these.
 */
export function sessionOfUser() {
  let held: { session: string; until: number } | undefined;
  const auth = async (): Promise<string> => {
    if (held && Date.now() < held.until) return held.session;
    const answer = await fetch('/session', { method: 'POST' });
    if (!answer.ok) throw new Error(`no session: ${answer.status}`);
    const { session, expiresInMs } = await answer.json();
    held = { session, until: Date.now() + expiresInMs / 2 };
    return session;
  };
  const forgetful = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const answer = await fetch(input, init);
    if (answer.status === 401) held = undefined;
    return answer;
  };
  return { auth, fetch: forgetful };
}
