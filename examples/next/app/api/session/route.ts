import { askTurnout, currentUser } from '../../turnout-server';

/** The session of who is signed in: the page's clients ask Turnout with it. */
export async function POST(): Promise<Response> {
  const made = await askTurnout('/v1/sessions', { targetingKey: await currentUser() }).catch(() => undefined);
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  return new Response(await made?.text(), { status: made?.status ?? 502, headers });
}
