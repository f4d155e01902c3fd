// What goes into the image of channel tasks and chunk servers: each of its programs as one ESM file, and what is copied as it is.
//
// Bundles, and not the packages they come from: a fifth of the bytes, half the time to start, and no installation while the image is
// made. They are not minified, so that a stack trace says where it comes from.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { aws_ecr_assets as assets } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { buildSync, type Metafile } from 'esbuild';

const ROOT = path.join(import.meta.dirname, '..');
/** File in the image → what it is made of. */
const PROGRAMS = {
  channel: 'functions/channel/main.ts',
  'chunk-server': 'functions/chunk-server/main.ts',
  zones: 'functions/zones/main.ts',
};
const COPIED = ['functions/image/Dockerfile', 'functions/image/health.mjs', 'LICENSE'];
/** Packages in the older module format ask for `require`, which ESM does not have. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** Makes the folder that `docker build` takes. */
export function writeImage(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const { metafile } = buildSync({
    absWorkingDir: ROOT,
    entryPoints: PROGRAMS,
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    mainFields: ['module', 'main'],
    banner: { js: REQUIRE },
    legalComments: 'none',
    logLevel: 'error',
  });
  for (const file of COPIED) copyFileSync(path.join(ROOT, file), path.join(folder, path.basename(file)));
  writeFileSync(path.join(folder, 'THIRD-PARTY'), thirdParty(metafile));
}

/** The licences of the packages that are in the bundles. */
function thirdParty({ inputs }: Metafile): string {
  const packages = new Set(Object.keys(inputs).flatMap((file) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[0] ?? []));
  return [...packages]
    .toSorted()
    .map((folder) => {
      const at = path.join(ROOT, folder);
      const { name, version, license } = JSON.parse(readFileSync(path.join(at, 'package.json'), 'utf8')) as Record<string, unknown>;
      const text = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'LICENCE', 'license'].map((file) => path.join(at, file)).find(existsSync);
      return `${name} ${version} (${license})\n\n${text === undefined ? '' : readFileSync(text, 'utf8').trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** Made once a process, and gone with it. */
let made: string | undefined;

function imageFolder(): string {
  if (made !== undefined) return made;
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-image-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  writeImage(folder);
  made = folder;
  return folder;
}

/** The image as an asset, named by what is in it, for hosts on arm64. */
export function imageAsset(scope: Construct): assets.DockerImageAsset {
  return new assets.DockerImageAsset(scope, 'Image', { directory: imageFolder(), platform: assets.Platform.LINUX_ARM64 });
}
