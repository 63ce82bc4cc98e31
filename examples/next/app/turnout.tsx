'use client';
import type { ReactNode } from 'react';
import type { StrategyDocument } from 'turnout-client';
import { TurnoutProvider } from 'turnout-react';

/**
 * How one user asks: with a session that is asked for again when half of its life is over, or when it was refused. Another user needs
 * another one of these.
 */
function sessionOfUser() {
  let held: { session: string; until: number } | undefined;
  const auth = async (): Promise<string> => {
    if (held && Date.now() < held.until) return held.session;
    const answer = await fetch('/api/session', { method: 'POST' });
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

// A render on the server asks nothing, and has no location.
const baseUrl = new URL('/turnout', globalThis.location?.href ?? 'http://localhost');

export function Turnout(props: { user: string; initialStrategy?: StrategyDocument; children: ReactNode }) {
  const { user, initialStrategy, children } = props;
  // The provider keeps the first options of a user, and so their session.
  const options = { baseUrl, ...sessionOfUser(), identityKey: user, initialStrategy };
  return <TurnoutProvider options={options}>{children}</TurnoutProvider>;
}
