// Bundles one function of `functions/` into a folder that Lambda takes: one ESM file with everything that runs, for the Node of the
// runtime. The AWS SDK is in it, in the version that was tested, and not the one that the runtime brings.

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AssetHashType, DockerImage, aws_lambda as lambda } from 'aws-cdk-lib';
import { buildSync } from 'esbuild';

const ROOT = path.join(import.meta.dirname, '..');

export const JOB_NAMES = ['offload', 'gc', 'trim', 'sweep'] as const;
export const FUNCTION_NAMES = [...JOB_NAMES, 'api'] as const;
export type JobName = (typeof JOB_NAMES)[number];
export type FunctionName = (typeof FUNCTION_NAMES)[number];

/** Packages in the older module format ask for `require`, which ESM does not have. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
/** Made once a process. */
const made = new Map<FunctionName, Uint8Array>();

export function bundleFunction(name: FunctionName, folder: string): void {
  const bundle = made.get(name) ?? build(name);
  made.set(name, bundle);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'index.mjs'), bundle);
}

function build(name: FunctionName): Uint8Array {
  const { outputFiles } = buildSync({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}/main.ts`],
    outfile: 'index.mjs',
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE },
    minify: true,
    // So that a stack trace can be read.
    keepNames: true,
    legalComments: 'none',
    logLevel: 'error',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`esbuild made nothing of functions/${name}`);
  return file.contents;
}

/** The bundle as an asset, named by what is in it. */
export function codeOf(name: FunctionName): lambda.Code {
  return lambda.Code.fromAsset(path.join(ROOT, 'functions', name), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never asked: the bundle is made here, or not at all.
      image: DockerImage.fromRegistry('unused'),
      local: {
        tryBundle(folder) {
          bundleFunction(name, folder);
          return true;
        },
      },
    },
  });
}
