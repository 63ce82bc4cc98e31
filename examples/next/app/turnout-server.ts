import 'server-only';
import type { StrategyDocument } from 'turnout-client';

/** Who is signed in. Yours reads the cookie of your application. */
export const currentUser = async (): Promise<string> => 'u-1';

/** A call of your server, with its server key, which no browser sees. */
export async function askTurnout(path: string, body: object): Promise<Response> {
  const { TURNOUT_URL = 'http://127.0.0.1:7070', TURNOUT_KEY } = process.env;
  if (!TURNOUT_KEY) throw new Error('TURNOUT_KEY is not set: put it into .env.local, and start again');
  return fetch(`${TURNOUT_URL}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TURNOUT_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    cache: 'no-store',
  });
}

/** What Turnout says for this user, for the first render; without it the client asks by itself. */
export async function strategyOf(flag: string, user: string): Promise<StrategyDocument | undefined> {
  const answer = await askTurnout(`/v1/strategy/${flag}`, { targetingKey: user }).catch(() => undefined);
  return answer?.ok ? answer.json() : undefined;
}
