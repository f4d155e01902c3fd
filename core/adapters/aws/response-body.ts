// The body of an answer as bytes that the caller owns, complete or not at all.

import { Readable } from 'node:stream';

/**
 * @param declared bytes that the answer said it has
 * @throws CutShortError when it has fewer or more; whatever the stream or `signal` fails with
 */
export async function collected(body: unknown, declared: number | undefined, signal: AbortSignal): Promise<Uint8Array> {
  if (!(body instanceof Readable)) throw cutShort('an answer without a body');
  const stop = (): void => void body.destroy(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return declared === undefined ? await whole(body) : await filled(body, declared);
  } finally {
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
}

/** One allocation: chunks are copied to where they belong as they come. */
async function filled(body: Readable, declared: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(declared);
  let at = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    if (at + part.length > declared) throw cutShort(`more than the ${declared} bytes that were said`);
    bytes.set(part, at);
    at += part.length;
  }
  if (at !== declared) throw cutShort(`${at} of ${declared} bytes`);
  return bytes;
}

async function whole(body: Readable): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of body as AsyncIterable<Buffer>) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

function cutShort(message: string): Error {
  return Object.assign(new Error(message), { name: 'CutShortError' });
}
