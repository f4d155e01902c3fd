import { defineConfig } from 'vitest/config';

// Channel tasks as processes, over emulators of AWS and as a cluster: npm run test:tasks. Several processes each, so one file at a time.
export default defineConfig({
  test: {
    include: ['test/aws/**/*.test.ts', 'test/cluster/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
