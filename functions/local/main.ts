// `npm start`: the whole store in one process. Reads the environment, opens the data folder, serves until SIGTERM.

import { createHttpServer } from '#core/adapters/node/http-server.ts';
import { createProcessTrace } from '#core/adapters/node/process-trace.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { createHttpHandler, type Readiness } from '#core/api/http/handler.ts';
import { createCell } from '#core/cell/cell.ts';
import { DEFAULT_CELL_CONFIG as config } from '#core/cell/config.ts';
import { banner, exitWith } from './console.ts';
import { readEnv } from './env.ts';
import { openStorage } from './storage.ts';

const DRAIN_MS = 2_000;
const FLUSH_POLL_MS = 20;
const FLUSH_POLLS_MAX = 25;

const trace = createProcessTrace();
process.on('uncaughtException', (error) => exitWith(error, trace));

async function main(): Promise<void> {
  const { port, host, dataDir } = readEnv(process.env);
  const storage = await openStorage(dataDir, config, trace);
  const cell = createCell(storage.ports, config);
  let readiness: Readiness = 'starting';
  const handler = createHttpHandler({
    service: cell.service,
    settings: cell.settings,
    clock: systemClock,
    codec: zlibCodec,
    readiness: () => readiness,
    metrics: () => trace.metrics(),
    report: (error) => trace.log.error({ event: 'server.error', err: error }),
  });
  const server = createHttpServer({ handle: (request, response) => handler.handle(request, response) });
  const bound = await server.listen(port, host);
  const stop = async (): Promise<void> => {
    if (readiness === 'draining') return;
    readiness = 'draining';
    // Until the sessions are over, whoever asks is told that this server is going.
    await handler.drain(DRAIN_MS);
    server.drain();
    // What was answered last may still be on its way out.
    for (let i = 0; i < FLUSH_POLLS_MAX && server.connectionsCount > 0; i += 1) await systemClock.sleep(FLUSH_POLL_MS);
    await server.close();
    await cell.close();
    await storage.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop().catch((error) => exitWith(error, trace)));
  await cell.open('lock');
  if (readiness === 'starting') {
    readiness = 'ready';
    banner(host, bound);
  }
}

await main().catch((error) => exitWith(error, trace));
