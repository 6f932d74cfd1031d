import { defineConfig } from 'vitest/config';

/** Real kernels under emulation: one at a time, with generous bounds (they only say that a guest hangs). */
export default defineConfig({
  test: {
    include: ['test/vm/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
  },
});
