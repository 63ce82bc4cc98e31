// nginx with a configuration that names Turnout's address and leaves everything else at its defaults: responses are buffered before
// they are passed on, upstream is HTTP/1.0, silence ends a connection after 60 s.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from '../support/turnout.mjs';

const NGINX = process.env.NGINX ?? '/usr/sbin/nginx';

// Paths of its files do not change its behaviour, and only the test's own folder is writable.
const configuration = (home, port, upstream, { more, below, keeps }) => `
daemon off;
pid ${home}/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/fastcgi;
  uwsgi_temp_path ${home}/uwsgi; scgi_temp_path ${home}/scgi;
  server {
    listen 127.0.0.1:${port};
    location ${below}/ { proxy_pass ${upstream}${keeps ? '' : '/'}; ${more} }
  }
}
`;

async function free_port() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/**
 * Starts nginx in front of `upstream` until the test ends, with `more` configuration if given; returns its address. It serves `below` a
 * path, which it removes unless it `keeps` it.
 */
export async function in_front(t, upstream, { more = '', below = '', keeps = below === '' } = {}) {
  const home = await mkdtemp(join(tmpdir(), 'turnout-nginx-'));
  // As root it passes requests to workers of another user.
  await chmod(home, 0o755);
  t.after(() => rm(home, { recursive: true }));
  for (;;) {
    const port = await free_port();
    await writeFile(join(home, 'conf'), configuration(home, port, upstream, { more, below, keeps }));
    const child = spawn(NGINX, ['-p', home, '-c', join(home, 'conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    const ended = once(child, 'close');
    ended.catch(() => {});
    const url = `http://127.0.0.1:${port}${below}`;
    const passes = await until('nginx to pass something on, or to end', async () => {
      if (child.exitCode !== null) return 'ended';
      return fetch(`${url}/healthz`).then(({ ok }) => ok, () => false);
    });
    if (passes !== 'ended') {
      t.after(async () => {
        child.kill('SIGTERM');
        await ended;
      });
      return url;
    }
    await ended;
    // Another program took the port between our look and nginx.
    if (!said.includes('Address already in use')) throw new Error(`nginx ended at once:\n${said}`);
  }
}
