// One request and its whole answer, over HTTP/1.1 or HTTP/2, plain or with TLS; nothing is added, followed or unpacked.

import http from 'node:http';
import https from 'node:https';
import { type Exchange, type Origin, openExchange } from './exchange.ts';

export type Protocol = 'h1' | 'h2';

export interface WireRequest {
  readonly method: string;
  /** With its query, percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Default h1. */
  readonly over?: Protocol;
}

export interface Answer {
  readonly status: number;
  /** By names in small letters; what came twice is joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  /** In how many pieces the body came: DATA frames on HTTP/2. */
  readonly pieces: number;
}

const agents = {
  'http:': new http.Agent({ keepAlive: true, maxSockets: 64 }),
  'https:': new https.Agent({ keepAlive: true, maxSockets: 64 }),
};

/** @throws when there is no answer, or none before the signal */
export async function send(origin: Origin, request: WireRequest, signal: AbortSignal): Promise<Answer> {
  if (request.over === 'h2') return await sendBy(await openExchange(origin, request, signal), request);
  return await sendPooled(origin, request, signal);
}

async function sendBy(exchange: Exchange, { body }: WireRequest): Promise<Answer> {
  exchange.end(body);
  const { status, headers } = await exchange.head;
  const pieces: Buffer[] = [];
  for (let piece = await exchange.read(); piece !== undefined; piece = await exchange.read()) pieces.push(piece);
  return { status, headers, bytes: Buffer.concat(pieces), pieces: pieces.length };
}

/** HTTP/1.1 on a connection that is kept: a suite makes thousands of requests. */
function sendPooled(origin: Origin, { method, path, headers, body }: WireRequest, signal: AbortSignal): Promise<Answer> {
  const url = new URL(origin.url);
  const protocol = url.protocol === 'https:' ? 'https:' : 'http:';
  const client = protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const request = client.request({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || (protocol === 'https:' ? 443 : 80),
      method,
      path,
      headers: { ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }), ...headers },
      agent: agents[protocol],
      signal,
      ...(origin.insecure === true ? { rejectUnauthorized: false } : {}),
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: joined(response.headers),
          bytes: Buffer.concat(pieces),
          pieces: pieces.length,
        }),
      );
    });
    request.end(body);
  });
}

function joined(headers: http.IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}

/** Lets go of connections that are kept for the next request. */
export function closePool(): void {
  for (const agent of Object.values(agents)) agent.destroy();
}
