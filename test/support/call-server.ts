// A server of stores in this process, on a real socket, and a proxy in front of it that a test breaks connections with.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { CallServer, type CallServerOptions } from '#core/adapters/node/calls/call-server.ts';
import type { Certificate } from '#core/adapters/node/http/tls.ts';
import { createHttpServer } from '#core/adapters/node/http-server.ts';
import { zlibChecksum as checksum } from '#core/adapters/node/zlib-checksum.ts';

export const SECRET = 'a secret of tests that is long enough';

export interface RunningCalls {
  readonly url: string;
  readonly port: number;
  readonly calls: CallServer;
  /** Faults of the program, which a test expects none of. */
  readonly faults: readonly unknown[];
  close(): Promise<void>;
}

export interface ServeOptions extends Pick<CallServerOptions, 'service' | 'limits'> {
  readonly port?: number;
  readonly certificate?: Certificate;
  readonly isReady?: () => boolean;
}

export async function serveCalls({ service, limits, port = 0, certificate, isReady = () => true }: ServeOptions): Promise<RunningCalls> {
  const faults: unknown[] = [];
  const calls = new CallServer({
    secret: SECRET,
    service,
    checksum,
    isReady,
    metrics: async () => 'none 0\n',
    report: (error) => faults.push(error),
    ...(limits === undefined ? {} : { limits }),
  });
  const server = createHttpServer({
    handle: (request, response) => calls.handle(request, response),
    ...(certificate === undefined ? {} : { certificate }),
  });
  const taken = await server.listen(port, '127.0.0.1');
  const scheme = certificate === undefined ? 'http' : 'https';
  return { url: `${scheme}://127.0.0.1:${taken}`, port: taken, calls, faults, close: () => server.close() };
}

type Direction = 'up' | 'down';

/** Passes bytes on in both directions, as `bend` leaves them; undefined drops them, and what follows in that direction. */
export class BadNetwork {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target = 0;
  connectionsCount = 0;
  bend: (bytes: Buffer, direction: Direction) => Buffer | undefined = (bytes) => bytes;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async before(port: number): Promise<BadNetwork> {
    const server = createServer();
    const network = new BadNetwork(server);
    network.#target = port;
    server.on('connection', (socket) => network.#join(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return network;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  /** Every connection is reset. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket): void {
    this.connectionsCount += 1;
    const server = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    for (const [from, to, direction] of [
      [client, server, 'up'],
      [server, client, 'down'],
    ] as const) {
      this.#sockets.add(from);
      let isStuck = false;
      from.on('data', (bytes: Buffer) => {
        const bent = isStuck ? undefined : this.bend(bytes, direction);
        isStuck ||= bent === undefined;
        if (bent !== undefined) to.write(bent);
      });
      from.on('error', () => undefined);
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
