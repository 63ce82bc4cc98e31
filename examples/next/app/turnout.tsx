'use client';
import type { ReactNode } from 'react';
import type { StrategyDocument } from 'turnout-client';
import { TurnoutProvider } from 'turnout-react';

let held: { session: string; until: number } | undefined;

/** The session of who is signed in, asked for again when half of its life is over. */
async function session(): Promise<string> {
  if (held && Date.now() < held.until) return held.session;
  const answer = await fetch('/api/session', { method: 'POST' });
  if (!answer.ok) throw new Error(`no session: ${answer.status}`);
  const { session, expiresInMs } = await answer.json();
  held = { session, until: Date.now() + expiresInMs / 2 };
  return session;
}

// A render on the server asks nothing, and has no location.
const baseUrl = new URL('/turnout', globalThis.location?.href ?? 'http://localhost');

export function Turnout(props: { user: string; initialStrategy?: StrategyDocument; children: ReactNode }) {
  const { user, initialStrategy, children } = props;
  const options = { baseUrl, auth: session, identityKey: user, initialStrategy };
  return <TurnoutProvider options={options}>{children}</TurnoutProvider>;
}
