// The handler of the product behind a port of its own on loopback: what tests put their stores behind.

import { createHttpServer, type HttpServer } from '#core/adapters/node/http-server.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { createHttpHandler, type HttpHandler, type Served } from '#core/api/http/handler.ts';
import type { ChannelPeers } from '#core/ports/channel-peer.ts';

export interface Listening {
  readonly handler: HttpHandler;
  readonly server: HttpServer;
  readonly origin: string;
  /** Failures that are the server's own. */
  readonly faults: unknown[];
}

export async function listening(served: Promise<Served>, peers: ChannelPeers): Promise<Listening> {
  const faults: unknown[] = [];
  const handler = createHttpHandler({
    served,
    peers,
    clock: systemClock,
    codec: zlibCodec,
    readiness: () => 'ready',
    metrics: () => '',
    report: (error) => faults.push(error),
  });
  const server = createHttpServer({ handle: (request, response) => handler.handle(request, response) });
  const port = await server.listen(0, '127.0.0.1');
  return { handler, server, origin: `http://127.0.0.1:${port}`, faults };
}
