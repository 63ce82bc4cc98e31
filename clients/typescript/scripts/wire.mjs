// Makes the wire types from the server's OpenAPI document. `--write` writes them; without it, says whether the committed ones are current.

import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const document = new URL('../../../docs/openapi/public.json', import.meta.url);
const target = new URL('../packages/turnout-client/src/wire.ts', import.meta.url);

const schemas = JSON.parse(await readFile(document, 'utf8')).components.schemas;
const types = astToString(
  await openapiTS({ openapi: '3.1.0', info: { title: 'Turnout', version: '1' }, paths: {}, components: { schemas } }),
);
const made = `// Made from docs/openapi/public.json by \`npm run generate\`. Do not edit.\n\n${types}`;

if (process.argv.includes('--write')) {
  await writeFile(target, made);
} else if (made !== (await readFile(target, 'utf8').catch(() => ''))) {
  console.error('src/wire.ts is not what docs/openapi/public.json says: run `npm run generate` and commit it');
  process.exit(1);
}
