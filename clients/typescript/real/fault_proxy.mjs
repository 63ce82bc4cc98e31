// A proxy that breaks what passes: refusals, resets, cut bodies and streams, late answers, and answers that come twice.

import http from 'node:http';

/** A stream passes as it comes; one that is cut ends in the middle of a message. */
function stream(kind, request, response, asked, answer) {
  let left = kind === 'cut' ? 40 + Math.floor(Math.random() * 2_000) : Number.POSITIVE_INFINITY;
  response.writeHead(answer.statusCode, answer.headers);
  response.on('error', () => {});
  request.socket.on('close', () => asked.destroy());
  answer.on('error', () => request.socket.destroy());
  answer.on('close', () => request.socket.destroy());
  answer.on('data', (chunk) => {
    response.write(chunk.subarray(0, left));
    left -= chunk.length;
    if (left <= 0) request.socket.destroy();
  });
}

/** `fault()` names what happens to the next request; null lets it pass. Only paths that match `on` are broken. */
export async function faultProxy(target, on, fault) {
  let broken = 0;
  const last = new Map();
  const proxy = http.createServer(async (request, response) => {
    const kind = on.test(request.url) ? fault() : null;
    if (kind) broken += 1;
    if (kind === '500' || kind === '429') {
      return response.writeHead(Number(kind), { 'Retry-After': '1' }).end('{"code":"from-the-proxy"}');
    }
    if (kind === 'reset') return request.socket.destroy();
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { host, connection, ...headers } = request.headers;
    const asked = http.request(new URL(request.url, target), { method: request.method, headers }, async (answer) => {
      if (`${answer.headers['content-type']}`.startsWith('text/event-stream'))
        return stream(kind, request, response, asked, answer);
      const body = [];
      try {
        for await (const chunk of answer) body.push(chunk);
      } catch {
        return request.socket.destroy();
      }
      const whole = Buffer.concat(body);
      const user = `${request.headers.authorization} ${request.url.split('?')[0]}`;
      if (kind === 'late') await new Promise((resolve) => setTimeout(resolve, 700));
      response.on('error', () => {});
      if (kind === 'again' && last.has(user)) {
        const [status, fields, earlier] = last.get(user);
        return response.writeHead(status, fields).end(earlier);
      }
      const { 'transfer-encoding': _, ...fields } = { ...answer.headers, 'content-length': whole.length };
      if (answer.statusCode === 200) last.set(user, [answer.statusCode, fields, whole]);
      response.writeHead(answer.statusCode, fields);
      if (kind === 'cut') {
        response.write(whole.subarray(0, whole.length / 2));
        return setTimeout(() => request.socket.destroy(), 5);
      }
      response.end(whole);
    });
    asked.on('error', () => request.socket.destroy());
    asked.end(Buffer.concat(chunks));
  });
  proxy.on('clientError', (_, socket) => socket.destroy());
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    get broken() {
      return broken;
    },
    close() {
      proxy.closeAllConnections();
      return new Promise((resolve) => proxy.close(resolve));
    },
  };
}
