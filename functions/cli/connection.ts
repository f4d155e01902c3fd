// The server that a command talks to, as any user of the S2 API would: the SDK, and plain HTTP for what the SDK lacks.
//
// The SDK keeps timestamps as Date, so what must show them exactly (read, tail) asks by `getJson` or `openBody`.

import { AppendInput, type AppendRecord, type RetryConfig, S2, S2Error, type S2Stream } from '@s2-dev/streamstore';
import { parseExact } from './exact-json.ts';
import { usageError } from './exit-code.ts';
import { isUnreachable } from './failure.ts';
import type { StreamPlace } from './place.ts';

const ATTEMPTS_MAX = 3;
const RETRY_DELAY_MS = 150;
/** An append on a slow disk is slow, not failed. */
const REQUEST_TIMEOUT_MS = 30_000;
const RETRYABLE = new Set([408, 429, 502, 503, 504]);
/** The SDK wants some token, also where the server asks for none. */
const NO_TOKEN = 'none';

export interface ConnectionOptions {
  readonly url: string;
  readonly token?: string | undefined;
}

export class Connection {
  /** As the user gave it, without a closing slash. */
  readonly url: string;
  readonly #base: string;
  readonly #token: string;

  constructor(options: ConnectionOptions) {
    this.url = checkedUrl(options.url);
    this.#base = `${this.url}/v1`;
    this.#token = options.token ?? NO_TOKEN;
  }

  s2(retry: RetryConfig = {}): S2 {
    return new S2({
      accessToken: this.#token,
      endpoints: { account: this.#base, basin: this.#base },
      requestTimeoutMillis: REQUEST_TIMEOUT_MS,
      // Whatever may have happened is said, and not done twice.
      retry: { maxAttempts: ATTEMPTS_MAX, appendRetryPolicy: 'noSideEffects', ...retry },
    });
  }

  stream(place: StreamPlace, encryptionKey?: string, retry?: RetryConfig): S2Stream {
    return this.s2(retry)
      .basin(place.basin)
      .stream(place.stream, encryptionKey === undefined ? {} : { encryptionKey });
  }

  recordsPath(place: StreamPlace, rest: string): string {
    return `/streams/${encodeURIComponent(place.stream)}/records${rest}`;
  }

  /** The answer with its integers exact. @throws S2Error as the SDK does */
  async getJson(path: string, headers: Readonly<Record<string, string>>): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return parseExact(await (await this.openBody(path, headers)).text());
      } catch (error) {
        const isPassing = isUnreachable(error) || (error instanceof S2Error && RETRYABLE.has(error.status));
        if (!isPassing || attempt === ATTEMPTS_MAX) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS * attempt));
      }
    }
  }

  /** One GET whose body may go on for ever. @throws S2Error when the server refuses; what fetch throws when it cannot be reached */
  async openBody(path: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Response> {
    const response = await fetch(`${this.#base}${path}`, {
      headers: { authorization: `Bearer ${this.#token}`, ...headers },
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) throw refusalOf(response.status, await response.text());
    return response;
  }
}

/** Error bodies are `{code, message}`; 416 tells the tail alone. */
export function refusalOf(status: number, body: string): S2Error {
  let data: unknown;
  try {
    data = parseExact(body);
  } catch {
    data = undefined;
  }
  const { code, message } = (typeof data === 'object' && data !== null ? data : {}) as { code?: unknown; message?: unknown };
  return new S2Error({
    message: typeof message === 'string' ? message : `the server answered ${status}`,
    ...(typeof code === 'string' ? { code } : {}),
    status,
    data,
    origin: 'server',
  });
}

/** A command record, as one append of its own. */
export async function appendCommand(
  stream: S2Stream,
  record: ReturnType<typeof AppendRecord.fence> | ReturnType<typeof AppendRecord.trim>,
  conditions: { readonly fencingToken?: string | undefined; readonly matchSeqNum?: number | undefined },
): Promise<number> {
  const { fencingToken, matchSeqNum } = conditions;
  const ack = await stream.append(
    AppendInput.create([record], {
      ...(fencingToken === undefined ? {} : { fencingToken }),
      ...(matchSeqNum === undefined ? {} : { matchSeqNum }),
    }),
  );
  return ack.start.seqNum;
}

function checkedUrl(text: string): string {
  const withScheme = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw usageError(`--url is "${text}"; it must be an address such as http://localhost:8080`);
  }
  if (url.username !== '' || url.password !== '') throw usageError('--url may hold no user and no password; a token goes by --token');
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '').replace(/\/v1$/, '');
}
