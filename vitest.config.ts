import { configDefaults, defineConfig } from 'vitest/config';

// Tests that start the real process (e2e, crash) compete for the same few cores: two files at a time, and generous limits.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // What takes long has a command of its own. Emulators of AWS, channel tasks as processes: npm run test:tasks. Functions as processes: npm run
    // test:lambda. The package of the construct: npm run test:pack. What runs inside workerd: npm run test:edge.
    exclude: [
      ...configDefaults.exclude,
      ...['test/core/adapters/aws/**', 'test/aws/**', 'test/cluster/**', 'test/cloud/**', 'test/lambda/**', 'test/pack/**'],
      ...['test/edge/inside/**', 'test/edge/slow/**'],
    ],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
});
