// The construct as others have it: packed, installed outside this tree without a registry, type-checked and synthesised in five lines.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { masked } from '#test/stacks/cells.ts';

const APP = `import { App, Stack } from 'aws-cdk-lib';
import { Millrace, type Zones } from 'millrace-cdk';

const zone = (name: string, id: string) => ({ name: \`us-east-1\${name}\`, id: \`use1-az\${id}\` });
const zones: Zones = [zone('a', '4'), zone('b', '5'), zone('c', '6')];
const app = new App({ outdir: 'cdk.out' });
const stack = new Stack(app, 'Test', { env: { account: '123456789012', region: 'us-east-1' } });
new Millrace(stack, 'Cell', { zones });
app.synth();
`;
const CONFIG = {
  compilerOptions: { module: 'nodenext', strict: true, noEmit: true, skipLibCheck: false, types: ['node'] },
  files: ['app.ts'],
};
const MODULES = path.resolve('node_modules');

describe('the packed construct', () => {
  let folder: string;
  const run = (program: string, args: readonly string[], cwd = folder): string => {
    const PATH = `${path.join(MODULES, '.bin')}:${process.env['PATH']}`;
    return execFileSync(program, args, { cwd, encoding: 'utf8', env: { PATH, HOME: folder } });
  };

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'millrace-app-'));
    run('npm', ['run', 'build'], path.resolve('.'));
    const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], path.resolve('dist'))) as [
      { filename: string },
    ];
    writeFileSync(path.join(folder, 'package.json'), '{"private":true,"type":"module"}');
    run('npm', ['install', '--offline', '--legacy-peer-deps', '--no-audit', '--no-fund', '--no-save', `./${packed.filename}`]);
    for (const name of ['aws-cdk-lib', 'constructs', '@types/node', 'undici-types']) {
      mkdirSync(path.dirname(path.join(folder, 'node_modules', name)), { recursive: true });
      symlinkSync(path.join(MODULES, name), path.join(folder, 'node_modules', name));
    }
    writeFileSync(path.join(folder, 'app.ts'), APP);
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(CONFIG));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('has types that a strict app takes, and refuses what is none', () => {
    run('tsc', ['-p', '.']);
    writeFileSync(path.join(folder, 'app.ts'), APP.replace('{ zones }', "{ zones, size: 'enormous' }"));
    const refused = (): string => {
      try {
        return run('tsc', ['-p', '.']);
      } catch (error) {
        return String((error as { stdout: string }).stdout);
      } finally {
        writeFileSync(path.join(folder, 'app.ts'), APP);
      }
    };
    expect(refused()).toMatch(/app\.ts.*"enormous"/);
  });

  test('makes what this tree makes, and needs nothing of it', () => {
    run('node', ['app.ts']);
    const template = JSON.parse(readFileSync(path.join(folder, 'cdk.out/Test.template.json'), 'utf8')) as object;
    expect(masked(template)).toBe(readFileSync('test/stacks/golden/development.json', 'utf8'));
    const assets = readdirSync(path.join(folder, 'cdk.out')).filter((name) => name.startsWith('asset.'));
    const held = assets.map((name) =>
      readdirSync(path.join(folder, 'cdk.out', name))
        .toSorted()
        .join(' '),
    );
    expect(held).toContain('index.mjs');
    expect(held).toContain('Dockerfile LICENSE THIRD-PARTY channel.mjs chunk-server.mjs health.mjs zones.mjs');
    const installed = readdirSync(path.join(folder, 'node_modules/millrace-cdk'));
    expect(installed).toContain('LICENSE');
    expect(installed).not.toContain('node_modules');
  });
});
