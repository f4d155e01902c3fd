// The script that mounts a chunk server's disk, on disks that are files: what it formats, what it leaves alone, and what it refuses.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UID } from '#stacks/container.ts';
import { ZONE_FOLDER, zoneDiskCommands } from '#stacks/zone-disk.ts';

const MIB = 1024 * 1024;
const hasTools = ['blkid', 'mkfs.ext4'].every((tool) => spawnSync('which', [tool]).status === 0);
if (!hasTools) console.log('skipped: blkid and mkfs.ext4 are not there; install them with: apt-get install util-linux e2fsprogs');

describe.skipIf(!hasTools)('the disk of a chunk server', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'millrace-disk-'));
    mkdirSync(path.join(folder, 'bin'));
    mkdirSync(path.join(folder, 'by-id'));
    // What takes a kernel, or xfsprogs, is written down; a file system of another kind, with the same label, is made.
    stub('mount', 'echo "mount $*" >> "$LOG"');
    stub('mountpoint', 'exit 1');
    stub('mkdir', 'exit 0');
    stub('chown', 'echo "chown $*" >> "$LOG"');
    stub('mkfs.xfs', 'echo "mkfs.xfs $*" >> "$LOG"; exec mkfs.ext4 -q -F -L "$3" "$4"');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function stub(name: string, script: string): void {
    const file = path.join(folder, 'bin', name);
    writeFileSync(file, `#!/bin/bash\n${script}\n`);
    chmodSync(file, 0o755);
  }

  function disk(name: string): string {
    const file = path.join(folder, name);
    writeFileSync(file, '');
    truncateSync(file, 8 * MIB);
    symlinkSync(file, path.join(folder, 'by-id', name));
    // Each disk has two names.
    symlinkSync(file, path.join(folder, 'by-id', `${name}_1`));
    return file;
  }

  function start(): { status: number | null; stderr: string; did: string[] } {
    const log = path.join(folder, 'log');
    rmSync(log, { force: true });
    const env = {
      PATH: `${path.join(folder, 'bin')}:${process.env['PATH']}:/usr/sbin`,
      LOG: log,
      MILLRACE_DISKS: `${folder}/by-id/*`,
    };
    const { status, stderr } = spawnSync('bash', ['stacks/zone-disk.sh'], { env, encoding: 'utf8' });
    return { status, stderr, did: existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [] };
  }

  test('is formatted once, and mounted at each start as it is', () => {
    const file = disk('nvme');
    const mounted = [`mount -t xfs -o noatime,nodev,nosuid,noexec ${file} ${ZONE_FOLDER}`, `chown ${UID}:${UID} ${ZONE_FOLDER}`];
    expect(start()).toEqual({ status: 0, stderr: '', did: [`mkfs.xfs -q -L millrace ${file}`, ...mounted] });
    const formatted = readFileSync(file);
    expect(start()).toEqual({ status: 0, stderr: '', did: mounted });
    expect(readFileSync(file).equals(formatted)).toBe(true);
  });

  test('that is mounted is left alone', () => {
    disk('nvme');
    stub('mountpoint', 'exit 0');
    expect(start()).toEqual({ status: 0, stderr: '', did: [] });
  });

  test('with something else on it is refused, and not touched', () => {
    const file = disk('nvme');
    execFileSync('mkfs.ext4', ['-q', '-F', '-L', 'precious', file], { env: { PATH: `${process.env['PATH']}:/usr/sbin` } });
    const before = readFileSync(file);
    expect(start()).toMatchObject({ status: 1, did: [], stderr: expect.stringContaining('holds something that is not ours') });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('that cannot be read is not taken for an empty one', () => {
    disk('nvme');
    stub('blkid', 'exit 4');
    expect(start()).toMatchObject({ status: 1, did: [], stderr: expect.stringContaining('cannot be read (blkid: 4)') });
  });

  test('is missing: it says which kind of host has one', () => {
    expect(start()).toMatchObject({ status: 1, did: [], stderr: expect.stringContaining('there is no NVMe instance store') });
  });

  test('is one of several: nothing is chosen', () => {
    disk('nvme1');
    disk('nvme2');
    expect(start()).toMatchObject({ status: 1, did: [], stderr: expect.stringContaining('there are 2 NVMe disks') });
  });
});

test('user data ends with the first command that fails, and holds the script as it is', () => {
  const commands = zoneDiskCommands();
  expect(commands[0]).toBe('set -euo pipefail');
  expect(commands.join('\n')).toContain(readFileSync('stacks/zone-disk.sh', 'utf8').trim());
  expect(spawnSync('bash', ['-n'], { input: commands.join('\n') }).status).toBe(0);
});
