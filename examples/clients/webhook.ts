/** A row of your table of events, as a database webhook of Supabase sends it. */
interface Inserted {
  readonly type: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly record: { id: number; build_id: string; user_id: string; kind: string; payload: unknown };
}
const { TURNOUT_URL, TURNOUT_KEY, WEBHOOK_SECRET } = process.env;

/** Publishes each row that is inserted. A row that comes twice is published once: its id is the event's. */
export async function POST(request: Request): Promise<Response> {
  if (!WEBHOOK_SECRET || request.headers.get('x-webhook-secret') !== WEBHOOK_SECRET) return new Response(null, { status: 401 });
  const { type, record }: Inserted = await request.json();
  if (type !== 'INSERT') return new Response(null, { status: 204 });
  const events = [{ id: `row-${record.id}`, type: record.kind, data: record.payload }];
  const published = await fetch(`${TURNOUT_URL}/v1/feeds/build-events/${encodeURIComponent(record.build_id)}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TURNOUT_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ readers: [record.user_id], events }),
  });
  return new Response(null, { status: published.ok ? 204 : 502 });
}
