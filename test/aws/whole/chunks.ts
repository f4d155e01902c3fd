// What the buckets hold, looked at past the fronts, so that it counts as nobody's request.

import type { Services } from './services.ts';

/** Chunks and seals in all buckets; of a bucket that holds many, a thousand. */
export async function chunksLeft({ objectsUrl }: Services): Promise<number> {
  const { text } = await get(objectsUrl);
  const buckets = [...text.matchAll(/<Name>([^<]+)<\/Name>/g)].map(([, name = '']) => name);
  let count = 0;
  for (const bucket of buckets) {
    const listed = await get(`${objectsUrl}/${bucket}?list-type=2&prefix=chunks/`);
    const keys = [...listed.text.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = '']) => key);
    count += keys.filter((key) => !key.endsWith('/zone')).length;
  }
  return count;
}

async function get(url: string): Promise<{ readonly text: string }> {
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text.slice(0, 500)}`);
  return { text };
}
