// A server over the fake store, on a real port.

import { createHttpServer, type HttpServer, type HttpServerOptions } from '#core/adapters/node/http-server.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { openTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { Access, type AccessSettings } from '#core/api/access/access.ts';
import { Tokens } from '#core/api/access/tokens.ts';
import { createHttpHandler, type HttpHandler, type Served } from '#core/api/http/handler.ts';
import type { HttpPatience } from '#core/api/http/patience.ts';
import { temporaryFolder } from '#test/support/temporary-folder.ts';
import { FakeStore } from './fake-store.ts';

export interface TestServer {
  /** In memory, of this server alone. */
  readonly access: Access;
  readonly store: FakeStore;
  readonly handler: HttpHandler;
  readonly server: HttpServer;
  readonly port: number;
  readonly origin: string;
  readonly faults: unknown[];
  /** Serves what came since, where the server was `starting`. */
  becomeReady(): void;
  close(): Promise<void>;
}

export const ROOT_TOKEN = 'the-root-token-of-tests';

/**
 * @param mode whether access is checked: by ROOT_TOKEN, and by the tokens that it issues.
 * @param state `starting`: nothing is served before `becomeReady`.
 */
export async function startServer(
  options: Partial<HttpServerOptions> = {},
  patience?: HttpPatience,
  mode: AccessSettings['mode'] = 'off',
  state: 'ready' | 'starting' = 'ready',
): Promise<TestServer> {
  const store = new FakeStore();
  const { authority } = await openTokenAuthority({
    dir: await temporaryFolder(),
    root: { token: ROOT_TOKEN },
  });
  const tokens = store.names.accessTokens;
  const access = new Access({ authority, tokens, clock: systemClock }, { mode, revocationMsMax: 10_000 });
  const faults: unknown[] = [];
  const { promise: served, resolve } = Promise.withResolvers<Served>();
  const becomeReady = (): void =>
    resolve({
      service: store.service,
      access,
      tokens: new Tokens({
        authority,
        tokens,
        revocations: access.revocations,
        clock: systemClock,
        random: systemRandom,
        meter: store.meter,
      }),
      settings: store.settings,
    });
  if (state === 'ready') becomeReady();
  const handler = createHttpHandler({
    served,
    clock: systemClock,
    codec: zlibCodec,
    readiness: () => 'ready',
    metrics: () => 'millrace_up 1\n',
    report: (error) => faults.push(error),
    ...(patience === undefined ? {} : { patience }),
  });
  const server = createHttpServer({ handle: (request, response) => handler.handle(request, response), ...options });
  const port = await server.listen(0, '127.0.0.1');
  return {
    access,
    store,
    handler,
    server,
    port,
    origin: `http://127.0.0.1:${port}`,
    faults,
    becomeReady,
    close: () => server.close(),
  };
}
