// Everything that is checked of the packages, in order. Stops at the first that fails.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const BARS = { 'turnout-client': 7000, 'turnout-react': 1000 };

/** What a package holds: these, and what `tsc` makes of each file of `src`. */
const BESIDE = ['LICENSE', 'README.md', 'package.json'];

function run(what, command, ...args) {
  const ran = spawnSync(command, args, { encoding: 'utf8', shell: false });
  if (ran.status !== 0) {
    console.error(`${what}: FAILED\n${ran.stdout}${ran.stderr}`);
    process.exit(1);
  }
  console.log(`${what}: good`);
  return ran.stdout;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

if (/"resolved": "https?:/.test(readFileSync('package-lock.json', 'utf8'))) {
  fail('package-lock.json names a registry: run `npm install --omit-lockfile-registry-resolved` and commit it');
}
run('wire types', 'node', 'scripts/wire.mjs');
run('lint', 'npx', 'biome', 'check', '--error-on-warnings', '.');
run('clean', 'rm', '-rf', 'packages/turnout-client/dist', 'packages/turnout-react/dist');
run('turnout-client, built', 'npx', 'tsc', '-p', 'packages/turnout-client');
run('turnout-react, built', 'npx', 'tsc', '-p', 'packages/turnout-react');
run('tests, typed', 'npx', 'tsc', '-p', 'tsconfig.tests.json');
run('tests', 'npx', 'vitest', 'run');
if (process.argv.includes('--quick') === false) run('mutations', 'node', 'scripts/mutate.mjs');

for (const [name, bar] of Object.entries(BARS)) {
  const made = await build({
    entryPoints: [`packages/${name}/dist/index.js`],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['react', 'react/jsx-runtime', ...(name === 'turnout-react' ? ['turnout-client'] : [])],
  });
  const size = gzipSync(made.outputFiles[0].contents, { level: 9 }).length;
  console.log(`size of ${name}: ${size} bytes of ${bar}`);
  if (size > bar) fail(`${name} is larger than its bar`);

  run(`publint of ${name}`, 'npx', 'publint', '--strict', `packages/${name}`);
  run(`types of ${name}, as others see them`, 'npx', 'attw', '--pack', `packages/${name}`, '--profile', 'esm-only');
  const [packed] = JSON.parse(run(`pack of ${name}`, 'npm', 'pack', '--json', '--dry-run', '-w', `packages/${name}`));
  for (const { path } of packed.files) {
    if (!BESIDE.includes(path) && !/^dist\/[a-z_]+\.(js|d\.ts)$/.test(path))
      fail(`${name} would be published with ${path}`);
  }
  for (const path of BESIDE) if (!packed.files.some((file) => file.path === path)) fail(`${name} lacks ${path}`);
}
