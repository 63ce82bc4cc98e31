// Makes the script of the page of `turnout demo`, which is part of the program, so that cargo alone builds it. Without `--write` it says
// whether the committed one is current.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const license = readFileSync(at('../node_modules/eventsource-parser/LICENSE'), 'utf8');
const MADE = at('../../../src/cli/demo/page/page.js');

const made = await build({
  entryPoints: [at('../demo/page.ts')],
  alias: { 'turnout-client': at('../packages/turnout-client/src/index.ts') },
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  legalComments: 'none',
  banner: {
    js: `/*\nMade of clients/typescript/demo by \`npm run demo\`. It holds eventsource-parser:\n\n${license.trim()}\n*/`,
  },
});
const wanted = made.outputFiles[0].text;
if (process.argv.includes('--write')) {
  writeFileSync(MADE, wanted);
} else if (readFileSync(MADE, 'utf8') !== wanted) {
  console.error('src/cli/demo/page/page.js is not what clients/typescript/demo makes: run `npm run demo` there');
  process.exit(1);
}
