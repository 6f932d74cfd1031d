import { defineConfig } from 'vitest/config';

/** Unit, model and simulation tests need nothing outside the process; integration and vm tests say what they miss. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'ext/*/test/**/*.test.ts'],
    exclude: ['node_modules/**', 'test/vm/**'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
