// A server over the fake store, on a real port.

import { createHttpServer, type HttpServer, type HttpServerOptions } from '#core/adapters/node/http-server.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { createHttpHandler, type HttpHandler, type Readiness } from '#core/api/http/handler.ts';
import type { HttpPatience } from '#core/api/http/patience.ts';
import { FakeStore } from './fake-store.ts';

export interface TestServer {
  readonly store: FakeStore;
  readonly handler: HttpHandler;
  readonly server: HttpServer;
  readonly port: number;
  readonly origin: string;
  readonly faults: unknown[];
  readiness: Readiness;
  close(): Promise<void>;
}

export async function startServer(options: Partial<HttpServerOptions> = {}, patience?: HttpPatience): Promise<TestServer> {
  const store = new FakeStore();
  const faults: unknown[] = [];
  const handler = createHttpHandler({
    service: store.service,
    settings: store.settings,
    clock: systemClock,
    codec: zlibCodec,
    readiness: () => test.readiness,
    metrics: () => 'millrace_up 1\n',
    report: (error) => faults.push(error),
    ...(patience === undefined ? {} : { patience }),
  });
  const server = createHttpServer({ handle: (request, response) => handler.handle(request, response), ...options });
  const port = await server.listen(0, '127.0.0.1');
  const test: TestServer = {
    store,
    handler,
    server,
    port,
    origin: `http://127.0.0.1:${port}`,
    faults,
    readiness: 'ready',
    close: () => server.close(),
  };
  return test;
}
