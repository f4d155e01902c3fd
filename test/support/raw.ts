// Connections below any HTTP library, for what no well-behaved client sends.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

/** A TCP connection to a server, with everything that it answered. */
export class RawConnection {
  readonly socket: net.Socket;
  #text = '';
  #isClosed = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
    });
  }

  static async open(origin: string): Promise<RawConnection> {
    const url = new URL(origin);
    const socket = net.connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  get text(): string {
    return this.#text;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The status of the first answer; 0 while there is none. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.#text)?.[1] ?? 0);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Gone without a goodbye. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}

export interface DuplexRequest {
  readonly request: http.ClientRequest;
  /** The answer's head: may come before the request's body has ended. */
  readonly response: Promise<http.IncomingMessage>;
}

/** An HTTP/1.1 request with a chunked body that stays open while the answer comes in, as the S2 command line tool does. */
export function openDuplex(origin: string, method: string, path: string, headers: Readonly<Record<string, string>>): DuplexRequest {
  const request = http.request(`${origin}${path}`, { method, headers, agent: false });
  const response = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
  });
  response.catch(() => undefined);
  request.flushHeaders();
  return { request, response };
}
