// The JSON API by plain fetch: what a person with curl sees.

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Anything but a string or bytes is sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** One basin of a server. */
export class Api {
  readonly origin: string;
  readonly basin: string;

  constructor(origin: string, basin: string) {
    this.origin = origin;
    this.basin = basin;
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const isRaw = options.body === undefined || typeof options.body === 'string' || options.body instanceof Uint8Array;
    const response = await fetch(`${this.origin}/v1${path}`, {
      method,
      headers: { 's2-basin': this.basin, ...(isRaw ? {} : { 'content-type': 'application/json' }), ...options.headers },
      ...(options.body === undefined ? {} : { body: isRaw ? (options.body as string) : JSON.stringify(options.body) }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, headers: response.headers, text, json };
  }

  /** Creates the basin. @throws when the server does not answer 201 */
  async createBasin(config: object = {}): Promise<void> {
    await this.#expect(201, 'POST', '/basins', { basin: this.basin, config });
  }

  async createStream(stream: string, config: object = {}): Promise<void> {
    await this.#expect(201, 'POST', '/streams', { stream, config });
  }

  recordsPath(stream: string, query = ''): string {
    return `/streams/${encodeURIComponent(stream)}/records${query}`;
  }

  async append(stream: string, input: object, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return await this.call('POST', this.recordsPath(stream), { body: input, headers });
  }

  /** Appends one record a body. @returns the first sequence number */
  async appendBodies(stream: string, ...bodies: string[]): Promise<number> {
    const answer = await this.append(stream, { records: bodies.map((body) => ({ body })) });
    if (answer.status !== 200) throw new Error(`append: ${answer.status} ${answer.text}`);
    return (answer.json as { start: { seq_num: number } }).start.seq_num;
  }

  async read(stream: string, query: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return await this.call('GET', this.recordsPath(stream, query), { headers });
  }

  /** The bodies of the records from `start` to the tail, at most 1,000. */
  async readBodies(stream: string, start = 0): Promise<string[]> {
    const answer = await this.read(stream, `?seq_num=${start}&clamp=true`);
    if (answer.status === 416) return [];
    if (answer.status !== 200) throw new Error(`read: ${answer.status} ${answer.text}`);
    return (answer.json as { records: { body?: string }[] }).records.map((record) => record.body ?? '');
  }

  async tail(stream: string): Promise<number> {
    const answer = await this.call('GET', this.recordsPath(stream).concat('/tail'));
    if (answer.status !== 200) throw new Error(`tail: ${answer.status} ${answer.text}`);
    return (answer.json as { tail: { seq_num: number } }).tail.seq_num;
  }

  async #expect(status: number, method: string, path: string, body: object): Promise<void> {
    const answer = await this.call(method, path, { body });
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  }
}
