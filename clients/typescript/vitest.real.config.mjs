import base from './vitest.config.mjs';

/** The tests against the real program: `cargo build` first. */
export default { ...base, test: { include: ['real/**/*.test.mjs'] } };
