// Everything that is checked of the packages, in order. Stops at the first that fails.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Bytes, minified and zipped, that load at the start; with the code of realtime, which loads when it is first needed; and of reports, which do too. */
const BARS = { 'turnout-client': [7000, 11_200, 3000], 'turnout-react': [1000, 1000, 0] };

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

/** Each test that `test/README.md` names for an invariant is there. */
function invariants() {
  const folders = ['packages/turnout-client/test', 'packages/turnout-react/test', 'real', 'scripts'];
  const sources = folders
    .flatMap((folder) => readdirSync(folder).map((file) => `${folder}/${file}`))
    .filter((path) => /\.(test\.(ts|tsx|mjs)|mjs)$/.test(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const table = readFileSync('packages/turnout-client/test/README.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| \d/.test(line));
  if (table.length !== 14) fail(`test/README.md has ${table.length} invariants, not 14`);
  for (const line of table) {
    for (const [, name] of line.matchAll(/`([^`]+)`/g)) {
      if (!/^(npm run |real\/)/.test(name) && !sources.includes(name)) fail(`no test has the name \`${name}\``);
    }
  }
  console.log('invariants, each with its tests: good');
}

if (/"resolved": "https?:/.test(readFileSync('package-lock.json', 'utf8'))) {
  fail('package-lock.json names a registry: run `npm install --omit-lockfile-registry-resolved` and commit it');
}
run('wire types', 'node', 'scripts/wire.mjs');
invariants();
run('lint', 'npx', 'biome', 'check', '--error-on-warnings', '.');
run('clean', 'rm', '-rf', 'packages/turnout-client/dist', 'packages/turnout-react/dist');
run('turnout-client, built', 'npx', 'tsc', '-p', 'packages/turnout-client');
run('turnout-react, built', 'npx', 'tsc', '-p', 'packages/turnout-react');
run('tests, typed', 'npx', 'tsc', '-p', 'tsconfig.tests.json');
run('page of the demo, current', 'node', 'scripts/demo.mjs');
run('tests', 'npx', 'vitest', 'run');
if (process.argv.includes('--quick') === false) run('mutations', 'node', 'scripts/mutate.mjs');

for (const [name, [atStart, withRealtime, ofReports]] of Object.entries(BARS)) {
  const made = await build({
    entryPoints: [`packages/${name}/dist/index.js`],
    bundle: true,
    splitting: true,
    outdir: 'size',
    metafile: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['react', 'react/jsx-runtime', ...(name === 'turnout-react' ? ['turnout-client'] : [])],
  });
  const zipped = (path) => {
    const file = made.outputFiles.find((one) => one.path.endsWith(path.replace(/^size/, '')));
    return gzipSync(file.contents, { level: 9 }).length;
  };
  const outputs = Object.entries(made.metafile.outputs);
  const needed = new Set();
  const need = (path) => {
    if (needed.has(path)) return;
    needed.add(path);
    for (const one of made.metafile.outputs[path].imports) {
      if (one.kind === 'import-statement' && !one.external) need(one.path);
    }
  };
  need(outputs.find(([, output]) => output.entryPoint?.endsWith('dist/index.js'))[0]);
  if (needed.size > 1)
    fail(`${name} starts in ${needed.size} pieces: what loads later imports from the start; hand it over (start.ts)`);
  const start = [...needed].reduce((sum, path) => sum + zipped(path), 0);
  const isOfReports = ([, output]) => output.entryPoint?.endsWith('dist/report.js') ?? false;
  const size = (which) => which.reduce((sum, [path]) => sum + zipped(path), 0);
  const realtime = size(outputs.filter((one) => !isOfReports(one)));
  const reports = size(outputs.filter(isOfReports));
  console.log(
    `size of ${name}: ${start} bytes of ${atStart} at the start, ${realtime} of ${withRealtime} with realtime, ${reports} of ${ofReports} for reports`,
  );
  if (start > atStart || realtime > withRealtime || reports > ofReports) fail(`${name} is larger than its bar`);

  run(`publint of ${name}`, 'npx', 'publint', '--strict', `packages/${name}`);
  run(`types of ${name}, as others see them`, 'npx', 'attw', '--pack', `packages/${name}`, '--profile', 'esm-only');
  const [packed] = JSON.parse(run(`pack of ${name}`, 'npm', 'pack', '--json', '--dry-run', '-w', `packages/${name}`));
  const modules = readdirSync(`packages/${name}/src`).map((file) => file.replace(/\.tsx?$/, ''));
  const promised = [...BESIDE, ...modules.flatMap((file) => [`dist/${file}.js`, `dist/${file}.d.ts`])].sort();
  const held = packed.files.map(({ path }) => path).sort();
  for (const path of held) if (!promised.includes(path)) fail(`${name} would be published with ${path}`);
  for (const path of promised) if (!held.includes(path)) fail(`${name} would be published without ${path}`);
}
