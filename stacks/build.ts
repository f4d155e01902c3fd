// Makes the package of the construct in dist/ (`npm run build`), to be packed or published from there: JavaScript and types, with the
// functions as bundles and the folder that the image is made of, so that an app that uses it needs neither this tree nor a bundler.

import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bundleFunction, FUNCTION_NAMES } from './bundle.ts';
import { writeImage } from './image.ts';
import { FUNCTIONS_FOLDER, IMAGE_FOLDER } from './prebuilt.ts';

const ROOT = path.join(import.meta.dirname, '..');
const DIST = path.join(ROOT, 'dist');
const NAME = 'millrace-cdk';

interface Manifest {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const { version, description, license, engines, devDependencies } = JSON.parse(
  readFileSync(path.join(ROOT, 'package.json'), 'utf8'),
) as Manifest;
const manifest = {
  name: NAME,
  version,
  description: `${description}: a whole cell in AWS, as a construct`,
  license,
  type: 'module',
  engines,
  exports: { '.': { types: './index.d.ts', default: './index.js' } },
  peerDependencies: Object.fromEntries(['aws-cdk-lib', 'constructs'].map((name) => [name, `^${devDependencies[name]}`])),
};

rmSync(DIST, { recursive: true, force: true });
execFileSync(path.join(ROOT, 'node_modules/.bin/tsc'), ['-p', path.join(import.meta.dirname, 'tsconfig.build.json')], { stdio: 'inherit' });
// The same names, from what is made below.
for (const [file, name] of [
  ['bundle', 'codeOf'],
  ['image', 'imageAsset'],
]) {
  writeFileSync(path.join(DIST, `${file}.js`), `export { ${name} } from './prebuilt.js';\n`);
}
for (const name of FUNCTION_NAMES) bundleFunction(name, path.join(DIST, FUNCTIONS_FOLDER, name));
writeImage(path.join(DIST, IMAGE_FOLDER));
cpSync(path.join(import.meta.dirname, 'handlers'), path.join(DIST, 'handlers'), { recursive: true });
copyFileSync(path.join(import.meta.dirname, 'zone-disk.sh'), path.join(DIST, 'zone-disk.sh'));
copyFileSync(path.join(ROOT, 'LICENSE'), path.join(DIST, 'LICENSE'));
writeFileSync(path.join(DIST, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
