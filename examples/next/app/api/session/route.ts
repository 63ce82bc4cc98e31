import { askTurnout, currentUser } from '../../turnout-server';

/** The session of who is signed in: the page's clients ask Turnout with it. */
export async function POST(): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  try {
    const made = await askTurnout('/v1/sessions', { targetingKey: await currentUser() });
    return new Response(await made.text(), { status: made.status, headers });
  } catch (error) {
    console.error(error); // A setting is missing, or Turnout cannot be reached: the client asks again.
    return Response.json({ detail: String(error) }, { status: 502, headers });
  }
}
