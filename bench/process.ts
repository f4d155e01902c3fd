// What the operating system says about a process: resident memory, and bytes that it read.

import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

async function procField(pid: number, file: string, field: string): Promise<number> {
  const text = await readFile(`/proc/${pid}/${file}`, 'utf8');
  const match = new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(text);
  if (match === null) throw new Error(`/proc/${pid}/${file} has no ${field}`);
  return Number(match[1]);
}

export async function residentBytes(pid: number): Promise<number> {
  return (await procField(pid, 'status', 'VmRSS')) * 1_024;
}

/** Bytes of all read calls, of files and sockets. */
export async function readBytes(pid: number): Promise<number> {
  return await procField(pid, 'io', 'rchar');
}

/** Processor time of a process since it began, milliseconds, in steps of the kernel's ten. */
export async function processorMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Behind the name, which may hold blanks.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Bytes of the files below a folder; 0 when there is none. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let sum = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    sum += await stat(path.join(entry.parentPath, entry.name)).then(
      (stats) => stats.size,
      () => 0,
    );
  }
  return sum;
}
