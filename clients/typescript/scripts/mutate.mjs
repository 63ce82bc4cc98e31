// Removes a guard of the position, and expects the tests named to go red: a suite that stays green proves nothing.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../packages/turnout-client/src/position.ts', import.meta.url));
const whole = readFileSync(file, 'utf8');

const generation = ['return this.#opened.has(generation);', 'return true || this.#opened.has(generation);'];
const place = ['return from === this.cursor ||', 'return true || from === this.cursor ||'];
const window = ['return this.#ids.has(id);', 'return false && this.#ids.has(id);'];

const mutations = [
  { name: 'the generation guard removed', changes: [generation], tests: ['position'] },
  { name: 'the place guard removed', changes: [place], tests: ['position'] },
  { name: 'the id window removed', changes: [window], tests: ['position'] },
  { name: 'both removed, as switches and faults see it', changes: [place, window], tests: ['once'] },
  { name: 'all removed, as switches and faults see it', changes: [generation, place, window], tests: ['once'] },
];

let green = 0;
try {
  for (const { name, changes, tests } of mutations) {
    let broken = whole;
    for (const [from, to] of changes) {
      if (!broken.includes(from)) throw new Error(`position.ts does not have \`${from}\` any more`);
      broken = broken.replace(from, to);
    }
    writeFileSync(file, broken);
    const ran = spawnSync('npx', ['vitest', 'run', ...tests.map((test) => `test/${test}.test`)], { encoding: 'utf8' });
    const red = ran.status !== 0 && /\d+ failed/.test(ran.stdout);
    console.log(`${red ? 'red, as it must be' : 'STAYED GREEN'}: ${name}`);
    if (!red) green += 1;
  }
} finally {
  writeFileSync(file, whole);
}
process.exit(green === 0 ? 0 : 1);
