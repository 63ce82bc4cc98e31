// The turnout binary for tests in JavaScript: a flags folder to save into, an address for questions, one for commands, and a checked
// end.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const BINARY = process.env.TURNOUT_BIN
  ? resolve(process.env.TURNOUT_BIN)
  : fileURLToPath(new URL('../../target/debug/turnout', import.meta.url));

// A test may put a recorder in its place.
const { fetch } = globalThis;

// No test waits for a fixed time: this is only how long an expected state may take on a slow machine.
const DEADLINE_MS = 60_000;

/** Waits until `probe` returns something truthy, and returns it. */
export async function until(what, probe) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`still waiting after ${DEADLINE_MS} ms for ${what}`);
    await pause(5);
  }
}

/**
 * Starts the server over a folder of its own holding `files` (name to YAML). `beside` are files beside that folder, which `settings`
 * (the environment) may name.
 */
export async function serve(files, { settings = {}, beside = {} } = {}) {
  const home = await mkdtemp(join(tmpdir(), 'turnout-'));
  const flags = join(home, 'flags');
  await mkdir(flags);
  const save = (name, yaml) => writeFile(join(flags, `${name}.yaml`), yaml);
  await Promise.all(Object.entries(files).map(([name, yaml]) => save(name, yaml)));
  await Promise.all(Object.entries(beside).map(([name, text]) => writeFile(join(home, name), text)));

  let child, said, ended;

  const announced = join(home, 'data', 'addresses.json');

  async function start(listen) {
    // A server that was killed leaves it behind.
    await rm(announced, { force: true });
    // Neither the settings nor the folder of the user who runs the test may affect the answers.
    const addresses = ['--listen', listen, '--admin-listen', '127.0.0.1:0'];
    const started = spawn(BINARY, [...addresses, '--flags', flags], { cwd: home, env: settings, stdio: ['ignore', 'ignore', 'pipe'] });
    const lines = [];
    createInterface({ input: started.stderr }).on('line', (line) => lines.push(line));
    [child, said, ended] = [started, lines, once(started, 'exit')];
    let failure;
    ended.catch((error) => (failure = error));
    const listens = await until('the server to say where it listens', async () => {
      if (failure) throw new Error(`cannot start ${BINARY}; run \`cargo build\` or set TURNOUT_BIN`, { cause: failure });
      if (started.exitCode !== null) throw new Error(`the server ended at once:\n${lines.join('\n')}`);
      return readFile(announced, 'utf8').then(JSON.parse, () => undefined);
    });
    return { url: listens.public, adminUrl: listens.admin };
  }

  /** Asks it to end, as a deployment would, and checks that it does so in order. */
  async function end() {
    child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
    const [code, signal] = await ended;
    clearTimeout(killer);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, said.join('\n'));
  }

  const server = await start('127.0.0.1:0').catch(async (error) => {
    child.kill('SIGKILL');
    await rm(home, { recursive: true });
    throw error;
  });

  async function asked(path, options) {
    const token = await readFile(join(home, 'data', 'admin.token'), 'utf8');
    const response = await fetch(server.adminUrl + path, { ...options, headers: { authorization: `Bearer ${token.trim()}` } });
    assert.equal(response.status, 200, await response.clone().text());
    return response.json();
  }

  return Object.assign(server, {
    home,
    save,
    /** Resolves once the log has a line that matches. */
    says: (pattern) => until(`the server to say ${pattern}`, () => said.find((line) => pattern.test(line))),
    /** What an operator sees. */
    look: (path) => asked(path),
    /** A command of an operator. */
    order: (path, body) => asked(path, { method: 'POST', body: JSON.stringify(body) }),
    end,
    /** Kills it, as a power cut would. */
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    /** Starts it again after its end, at the address where its clients look for it. */
    async again() {
      Object.assign(server, await start(new URL(server.url).host));
    },
    /** Ends it, if it has not ended, and removes what it left. */
    async stop() {
      if (child.exitCode === null && child.signalCode === null) await end();
      await rm(home, { recursive: true });
    },
  });
}
