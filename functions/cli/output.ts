// Standard output and standard error of a command. A reader that goes away (`| head`) ends it quietly, with 0.
//
// A write waits until the system has taken the bytes, so a slow reader slows the command, and memory stays bounded.

import { EXIT_CODES } from './exit-code.ts';

/** Before the first write. @returns what leaves both streams as they were, for a server that deals with them itself */
export function watchOutput(): () => void {
  process.stdout.on('error', onBrokenOutput);
  process.stderr.on('error', onBrokenErrors);
  return () => {
    process.stdout.off('error', onBrokenOutput);
    process.stderr.off('error', onBrokenErrors);
  };
}

function onBrokenOutput(error: NodeJS.ErrnoException): never {
  if (error.code === 'EPIPE') process.exit(EXIT_CODES.done);
  process.stderr.write(`millrace: cannot write: ${error.message}\n`);
  process.exit(EXIT_CODES.failed);
}

/** Nobody is left who could be told. */
function onBrokenErrors(): void {}

export async function write(text: string | Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}

export async function writeLine(text: string): Promise<void> {
  await write(`${text}\n`);
}

/** For a person; never part of the result. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
