// Answers that were kept, by a key that begins with their stream's id: in the isolate's memory, and in the data centre's cache.
//
// The cache is one of our own by name: no URL of any zone reaches it, and nobody outside knows a stream's id. Who may have an answer
// was decided before anybody asks here.

export interface KeptAnswer {
  readonly contentType: string;
  readonly body: ArrayBuffer;
}

/** Of 128 MB that an isolate may have. */
const MEMORY_BYTES_MAX = 32 * 1024 * 1024;
export const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const CACHE_NAME = 'millrace-history';
/** What it holds is never out of date; it only has to go some time. */
const CACHE_AGE_SECS = 86_400;

export class HistoryStore {
  readonly #memory = new Map<string, KeptAnswer>();
  #memoryBytes = 0;
  /** Undefined: this runtime has no cache. */
  #cache: Cache | undefined | 'not opened' = 'not opened';

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  async get(key: string): Promise<KeptAnswer | undefined> {
    const held = this.#memory.get(key);
    if (held !== undefined) {
      this.#hold(key, held);
      return held;
    }
    const cache = await this.#opened();
    const found = await cache?.match(requestFor(key)).catch(() => undefined);
    if (found === undefined) return undefined;
    const kept = { contentType: found.headers.get('content-type') ?? '', body: await found.arrayBuffer() };
    this.#hold(key, kept);
    return kept;
  }

  /** Resolves once the cache has it; memory has it at once. */
  async put(key: string, answer: KeptAnswer): Promise<void> {
    this.#hold(key, answer);
    const headers = { 'content-type': answer.contentType, 'cache-control': `max-age=${CACHE_AGE_SECS}` };
    const cache = await this.#opened();
    // Whether it keeps it is its own affair.
    await cache?.put(requestFor(key), new Response(answer.body, { headers })).catch(() => undefined);
  }

  /** In memory, as what was used last. */
  #hold(key: string, answer: KeptAnswer): void {
    this.#drop(key);
    this.#memory.set(key, answer);
    this.#memoryBytes += answer.body.byteLength;
    for (const oldest of this.#memory.keys()) {
      if (this.#memoryBytes <= MEMORY_BYTES_MAX) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#memoryBytes -= this.#memory.get(key)?.body.byteLength ?? 0;
    this.#memory.delete(key);
  }

  async #opened(): Promise<Cache | undefined> {
    if (this.#cache === 'not opened') this.#cache = await openCache();
    return this.#cache;
  }
}

async function openCache(): Promise<Cache | undefined> {
  try {
    const cache = await caches.open(CACHE_NAME);
    // A runtime without a cache says so only now.
    await cache.match(requestFor('none'));
    return cache;
  } catch {
    return undefined;
  }
}

function requestFor(key: string): Request {
  return new Request(`https://history.invalid/${key}`);
}
