// Speaks TLS on connections that somebody else accepted, and tells which HTTP version was agreed on.
//
//   A21  A handshake ends in bounded time; a certificate that is replaced serves every handshake from then on.

import type { Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';

/** In PEM. */
export interface Certificate {
  /** The chain, the server's own certificate first. */
  readonly cert: string;
  readonly key: string;
}

/** In order of preference. */
const ALPN_PROTOCOLS = ['h2', 'http/1.1'];

export class Tls {
  readonly #server: Server;

  /**
   * @param serve gets a connection once its handshake is done. Clients that offer no protocol get HTTP/1.1.
   * @throws Error when the certificate cannot be used.
   */
  constructor(certificate: Certificate, handshakeMsMax: number, serve: (socket: TLSSocket, protocol: 'h2' | 'http/1.1') => void) {
    // Node counts from the start of the handshake, whatever comes meanwhile.
    this.#server = createServer({ ...certificate, ALPNProtocols: ALPN_PROTOCOLS, handshakeTimeout: handshakeMsMax });
    this.#server.on('secureConnection', (socket) => {
      socket.on('error', () => socket.destroy());
      socket.allowHalfOpen = true;
      serve(socket, socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1');
    });
    this.#server.on('tlsClientError', (_, socket) => socket.destroy());
  }

  /** @throws Error when it cannot be used; the one before stays then. */
  replace(certificate: Certificate): void {
    createSecureContext({ ...certificate });
    this.#server.setSecureContext({ ...certificate });
  }

  serve(socket: Socket): void {
    // Until it is done, a closed half is a closed connection.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }
}
