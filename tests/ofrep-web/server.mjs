// The turnout binary as a test sees it: a flags folder to save into, an address to ask, an end to check; and what clients
// exchanged with it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BINARY = process.env.TURNOUT_BIN
  ? resolve(process.env.TURNOUT_BIN)
  : fileURLToPath(new URL('../../target/debug/turnout', import.meta.url));

// No test waits for time: this is only how long a state that must come may take on a slow machine.
const DEADLINE_MS = 15_000;

/** Waits until `probe` gives something truthy, and gives it back. */
export async function until(what, probe) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`still waiting after ${DEADLINE_MS} ms for ${what}`);
    await pause(5);
  }
}

// The provider takes `globalThis.fetch` when it is made; the recorder stands there before that and changes nothing.
const exchanges = [];
const fetchUnchanged = globalThis.fetch;
globalThis.fetch = async (request, options) => {
  const response = await fetchUnchanged(request, options);
  exchanges.push({
    url: request.url,
    ifNoneMatch: request.headers.get('if-none-match'),
    status: response.status,
    etag: response.headers.get('etag'),
    body: await response.clone().text(),
  });
  return response;
};

/** Starts the server over a folder of its own holding `files` (name to YAML). */
export async function serve(files) {
  const home = await mkdtemp(join(tmpdir(), 'turnout-ofrep-'));
  const flags = join(home, 'flags');
  await mkdir(flags);
  const save = (name, yaml) => writeFile(join(flags, `${name}.yaml`), yaml);
  await Promise.all(Object.entries(files).map(([name, yaml]) => save(name, yaml)));

  // Neither the settings nor the folder of whoever runs the test may take part in the answers.
  const child = spawn(BINARY, ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0', '--flags', flags], {
    cwd: home,
    env: {},
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = [];
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
  const ended = once(child, 'exit');
  let failure;
  ended.catch((error) => (failure = error));

  const bound = () => {
    if (failure) throw new Error(`cannot start ${BINARY}; run \`cargo build\` or set TURNOUT_BIN`, { cause: failure });
    if (child.exitCode !== null) throw new Error(`the server ended at once:\n${said.join('\n')}`);
    return said.map((line) => line.match(/^turnout: serving .* on (http:\/\/127\.0\.0\.1:\d+)$/)?.[1]).find(Boolean);
  };
  const url = await until('the address the server is bound to', bound).catch(async (error) => {
    child.kill('SIGKILL');
    await rm(home, { recursive: true });
    throw error;
  });

  return {
    url,
    save,
    /** Resolves once the log has said a line that matches. */
    says: (pattern) => until(`the server to say ${pattern}`, () => said.find((line) => pattern.test(line))),
    /** What was exchanged with this server, oldest first. */
    exchanges: () => exchanges.filter((exchange) => exchange.url.startsWith(`${url}/`)),
    /** Asks it to end, as a deployment would, and checks that it does so in order. */
    async stop() {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
      const [code, signal] = await ended;
      clearTimeout(killer);
      await rm(home, { recursive: true });
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, said.join('\n'));
    },
  };
}
