import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFolder } from '#core/adapters/node/folder-lock.ts';
import { openSqliteMetadata } from '#core/adapters/node/sqlite-metadata-store.ts';

const MODULES = pathToFileURL(path.resolve('core/adapters/node')).href;

/** Another process that runs `code` and then stays; resolves once it printed its first line. */
async function elsewhere(code: string): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', `${code}\nsetInterval(() => {}, 1_000);`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [Uint8Array | number];
  if (typeof chunk === 'number') throw new Error(`the other process ended with ${chunk}`);
  return { child, line: new TextDecoder().decode(chunk).trim() };
}

async function killed(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

describe('lockFolder', () => {
  let folder: string;
  let child: ChildProcess | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'millrace-lock-'));
  });
  afterEach(async () => {
    if (child?.exitCode === null && child.signalCode === null) await killed(child);
    child = undefined;
    await rm(folder, { recursive: true });
  });

  const holder = (where: string): string => `
    const { lockFolder } = await import('${MODULES}/folder-lock.ts');
    await lockFolder(${JSON.stringify(where)});
    console.log('held');`;

  test('M15: a second process is told which folder, by whom it is used, and what to do', async () => {
    ({ child } = await elsewhere(holder(folder)));
    const refusal = lockFolder(folder);
    await expect(refusal).rejects.toMatchObject({ code: 'unavailable', effect: 'none' });
    await expect(refusal).rejects.toThrow(folder);
    await expect(refusal).rejects.toThrow(`process ${child.pid}`);
    await expect(refusal).rejects.toThrow('MILLRACE_DATA_DIR');
  });

  test('M15: a kill -9 frees the folder at once, every time', async () => {
    for (let round = 0; round < 3; round += 1) {
      ({ child } = await elsewhere(holder(folder)));
      await expect(lockFolder(folder)).rejects.toThrow('in use');
      await killed(child);
      const lock = await lockFolder(folder);
      await lock.release();
    }
  });

  test('M15: a process that holds it is refused too, and another gets it after the release', async () => {
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow('in use');
    const { child: refusedChild, line } = await elsewhere(
      `const { lockFolder } = await import('${MODULES}/folder-lock.ts');
       await lockFolder(${JSON.stringify(folder)}).then(() => console.log('held'), (error) => console.log(error.code));`,
    );
    child = refusedChild;
    expect(line).toBe('unavailable');
    await killed(refusedChild);
    await lock.release();
    await lock.release();
    const next = await elsewhere(holder(folder));
    child = next.child;
    expect(next.line).toBe('held');
  });

  test('makes the folder, and says why it cannot', async () => {
    const lock = await lockFolder(path.join(folder, 'a', 'b'));
    await lock.release();
    await writeFile(path.join(folder, 'file'), '');
    await expect(lockFolder(path.join(folder, 'file'))).rejects.toMatchObject({ code: 'storage', effect: 'none' });
  });

  test('M14: what was answered before a kill -9 is there when the file is opened anew', async () => {
    const file = path.join(folder, 'metadata.db');
    const started = await elsewhere(`
      const { openSqliteMetadata } = await import('${MODULES}/sqlite-metadata-store.ts');
      const store = await openSqliteMetadata(${JSON.stringify(file)});
      let answered = 0;
      for (let i = 0; ; i += 1) {
        await store.commit([{ kind: 'put', key: { partition: 'p', sort: 'n' }, fields: { i } }]);
        if (i === 200) console.log('200');
      }`);
    child = started.child;
    await killed(child);
    const store = await openSqliteMetadata(file);
    const item = await store.get({ partition: 'p', sort: 'n' }, 'strong');
    expect(Number(item?.fields['i'])).toBeGreaterThanOrEqual(200);
    await store.close();
  });
});
