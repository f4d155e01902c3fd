// Clients that the benches share: a pipelined session, keep-alive unary requests, and streams to use them on.

import http from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import { encodeAppendInput, frameOf, type OutRecord } from './protocol.ts';
import { AppendSession, connect, type MoreHeaders } from './session.ts';

export const BASIN = 'bench-basin';
const BATCH_METERED_BYTES_MAX = 1024 * 1024;
const BATCH_RECORDS_MAX = 1_000;
const RECORD_OVERHEAD_BYTES = 8;

export interface BatchFrame {
  readonly frame: Buffer;
  readonly records: number;
  readonly bodyBytes: number;
}

/** The largest batch of records of one size that S2 allows, encoded once. */
export function fullBatch(recordBytes: number): BatchFrame {
  const records = Math.min(BATCH_RECORDS_MAX, Math.floor(BATCH_METERED_BYTES_MAX / (recordBytes + RECORD_OVERHEAD_BYTES)));
  const batch: OutRecord[] = Array.from({ length: records }, (_, at) => ({ body: Buffer.alloc(recordBytes, at) }));
  return { frame: frameOf(encodeAppendInput(batch)), records, bodyBytes: records * recordBytes };
}

export interface Pumped {
  /** MiB/s of record bodies, from the first byte sent to the last acknowledgement. */
  readonly mibPerSecond: number;
  readonly recordsPerSecond: number;
  readonly records: number;
}

/** Sends one batch over and over on one session, with at most `inFlightBytesMax` unacknowledged, until `shouldStop`. */
export async function pump(
  connection: ClientHttp2Session,
  stream: string,
  batch: BatchFrame,
  inFlightBytesMax: number,
  shouldStop: (sentBytes: number, ms: number) => boolean,
  more?: MoreHeaders,
): Promise<Pumped> {
  const session = new AppendSession(connection, BASIN, stream, more);
  await session.opened;
  const inFlightMax = Math.max(2, Math.ceil(inFlightBytesMax / batch.frame.length));
  const inFlight: Promise<unknown>[] = [];
  let sent = 0;
  const begin = performance.now();
  while (!shouldStop(sent * batch.bodyBytes, performance.now() - begin)) {
    inFlight.push(session.append(batch.frame));
    sent += 1;
    if (inFlight.length >= inFlightMax) await inFlight.shift();
  }
  await Promise.all(inFlight);
  const seconds = (performance.now() - begin) / 1_000;
  await session.finish();
  return {
    mibPerSecond: (sent * batch.bodyBytes) / 2 ** 20 / seconds,
    recordsPerSecond: (sent * batch.records) / seconds,
    records: sent * batch.records,
  };
}

/** HTTP/1.1 requests on kept connections, one answer after the other on each. */
export class UnaryClient {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
  readonly #origin: URL;

  constructor(origin: string) {
    this.#origin = new URL(origin);
  }

  /** @throws unless the server answers 2xx */
  async call(method: string, path: string, body?: Buffer): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      const request = http.request(
        {
          agent: this.#agent,
          host: this.#origin.hostname,
          port: this.#origin.port,
          method,
          path: `/v1${path}`,
          headers: {
            's2-basin': BASIN,
            authorization: 'Bearer none',
            ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
          },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(parts);
            const status = response.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve(text);
            else reject(new Error(`${method} ${path}: ${status} ${text.toString()}`));
          });
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** A basin in which a first append makes its stream. */
export async function createBenchBasin(client: UnaryClient): Promise<void> {
  const body = { basin: BASIN, config: { create_stream_on_append: true } };
  await client.call('POST', '/basins', Buffer.from(JSON.stringify(body)));
}

export async function createStream(client: UnaryClient, stream: string, config: object = {}): Promise<void> {
  await client.call('POST', '/streams', Buffer.from(JSON.stringify({ stream, config })));
}

export async function inParallel(count: number, width: number, run: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await run(next++);
    }),
  );
}

/** Sessions on as many connections as they need: a server may allow 100 streams on one. */
export async function openSessions(origin: string, streams: readonly string[]): Promise<{ sessions: AppendSession[]; close: () => void }> {
  const connections: ClientHttp2Session[] = [];
  const sessions: AppendSession[] = [];
  for (const [at, stream] of streams.entries()) {
    if (at % 100 === 0) connections.push(await connect(origin));
    const connection = connections.at(-1);
    if (connection === undefined) throw new Error('no connection');
    sessions.push(new AppendSession(connection, BASIN, stream));
  }
  await Promise.all(sessions.map((session) => session.opened));
  return {
    sessions,
    close: () => {
      for (const connection of connections) connection.destroy();
    },
  };
}
