import type { Connect, Plugin } from 'vite';

/** Who is signed in. Yours reads the cookie of your application; null is a 401. */
const userOf = (_request: Connect.IncomingMessage): string | null => 'u-1';

const { TURNOUT_URL = 'http://127.0.0.1:7070', TURNOUT_KEY } = process.env;

/** POST /session: your server makes the session with its server key, which no browser sees. */
export function sessions(): Plugin {
  const answer: Connect.NextHandleFunction = async (request, response) => {
    const user = userOf(request);
    if (request.method !== 'POST' || !user) return void response.writeHead(401).end();
    if (!TURNOUT_KEY) {
      console.error('TURNOUT_KEY is not set: start this in the terminal that has it');
      return void response.writeHead(500).end('TURNOUT_KEY is not set');
    }
    const made = await fetch(`${TURNOUT_URL}/v1/sessions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TURNOUT_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ targetingKey: user }),
    }).catch(() => undefined); // Turnout cannot be reached: the client asks again.
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    response.writeHead(made?.status ?? 502, headers).end(await made?.text());
  };
  return {
    name: 'sessions',
    configureServer: (server) => void server.middlewares.use('/session', answer),
    configurePreviewServer: (server) => void server.middlewares.use('/session', answer),
  };
}
