import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: 'turnout-client/testing', replacement: at('packages/turnout-client/src/testing.ts') },
      { find: 'turnout-react', replacement: at('packages/turnout-react/src/index.ts') },
      { find: 'turnout-client', replacement: at('packages/turnout-client/src/index.ts') },
    ],
  },
  test: { setupFiles: ['./vitest.setup.mjs'], include: ['packages/*/test/**/*.test.{ts,tsx}'], testTimeout: 20_000 },
});
