// Bundles one function of `functions/` into a folder that Lambda takes: one ESM file with everything that runs, for the Node of the
// runtime. The AWS SDK is in it, in the version that was tested, and not the one that the runtime brings.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';

const ROOT = path.join(import.meta.dirname, '..');

export const FUNCTION_NAMES = ['offload', 'gc', 'trim', 'sweep'] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

/** Packages in the older module format ask for `require`, which ESM does not have. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

export function bundleFunction(name: FunctionName, folder: string): void {
  mkdirSync(folder, { recursive: true });
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}/main.ts`],
    outfile: path.join(folder, 'index.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE },
    // Names stay, so that a stack trace can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'error',
  });
}
