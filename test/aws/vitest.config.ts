import { defineConfig } from 'vitest/config';

// What needs emulators of AWS, and channel tasks as processes, over them and as a cluster: npm run test:tasks. Several processes each, so
// one file at a time.
export default defineConfig({
  test: {
    include: ['test/core/adapters/aws/**/*.test.ts', 'test/aws/**/*.test.ts', 'test/cluster/**/*.test.ts', 'test/cloud/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
