import { defineConfig } from 'vitest/config';

// What builds, packs, installs and synthesises: processes that each want a processor.
export default defineConfig({
  test: { include: ['test/pack/**/*.test.ts'], pool: 'forks', maxWorkers: 1, testTimeout: 400_000, hookTimeout: 400_000 },
});
