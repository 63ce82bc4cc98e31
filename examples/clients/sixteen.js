let doc = { strategy: 'polling', validForMs: 60000 }, etag = '', timer, newest;
async function ask(base, token, onChange, mine = (newest = {})) {
  clearTimeout(timer);
  try {
    const headers = { authorization: `Bearer ${token}`, 'if-none-match': etag };
    const answer = await fetch(`${base}/v1/strategy/build-events`, { headers });
    const said = answer.status === 200 && (await answer.json());
    if (said && mine === newest) {
      [doc, etag] = [said, answer.headers.get('etag') ?? ''];
      onChange(doc);
    }
  } catch {} // Unreachable: go on by what is known.
  timer = setTimeout(ask, doc.validForMs, base, token, onChange);
}
export const followStrategy = (base, token, onChange) =>
  (new EventSource(`${base}/ofrep/v1/events`).onmessage = () => ask(base, token, onChange));
