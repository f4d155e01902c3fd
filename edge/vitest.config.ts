// npm run test:edge: tests of the Worker's parts inside workerd, and those that take long. Both need `npm ci --prefix edge`.

import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: `${import.meta.dirname}/wrangler.jsonc` },
            miniflare: { bindings: { MILLRACE_ORIGIN: 'http://127.0.0.1:1', MILLRACE_AUTH: 'off', MILLRACE_RATE_PER_SEC: '0' } },
          }),
        ],
        test: { name: 'inside', root: `${import.meta.dirname}/..`, include: ['test/edge/inside/**/*.test.ts'] },
      },
      {
        test: {
          name: 'slow',
          root: `${import.meta.dirname}/..`,
          include: ['test/edge/slow/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
