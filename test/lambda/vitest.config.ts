import { defineConfig } from 'vitest/config';

// Functions as processes, one after the other: what is measured is a start beside nothing else.
export default defineConfig({
  test: { include: ['test/lambda/**/*.test.ts'], pool: 'forks', maxWorkers: 1, testTimeout: 120_000, hookTimeout: 120_000 },
});
