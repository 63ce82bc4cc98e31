let doc = { strategy: 'polling', validForMs: 60000 }, etag = '', timer;
async function ask(base, token, onChange) {
  clearTimeout(timer);
  try {
    const headers = { authorization: `Bearer ${token}`, 'if-none-match': etag };
    const answer = await fetch(`${base}/v1/strategy/build-events`, { headers });
    if (answer.status === 200) {
      [doc, etag] = [await answer.json(), answer.headers.get('etag') ?? ''];
      onChange(doc);
    }
  } catch {} // Unreachable: go on by what is known.
  timer = setTimeout(ask, doc.validForMs, base, token, onChange);
}
export function followStrategy(base, token, onChange) {
  new EventSource(`${base}/ofrep/v1/events`).onmessage = () => ask(base, token, onChange);
}
