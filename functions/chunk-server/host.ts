// Serves stores to other processes until SIGTERM: what a chunk server and the stores of a development cluster do alike.

import { CallServer, type CallServerLimits, type CallService } from '#core/adapters/node/calls/call-server.ts';
import { createHttpServer } from '#core/adapters/node/http-server.ts';
import { createProcessTrace, type ProcessTrace } from '#core/adapters/node/process-trace.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { keepCertificate, loadCertificate } from '#functions/local/certificate.ts';
import { exitWith } from '#functions/local/console.ts';
import { onSignals } from '#functions/local/signals.ts';
import { takePlace } from '#functions/local/succession.ts';
import type { ChunkServerEnv } from './env.ts';

/** Calls under way take a disk's time; what takes longer has a disk that does not answer. */
const DRAIN_MS_MAX = 2_500;

export type CallHostEnv = Pick<ChunkServerEnv, 'port' | 'host' | 'dataDir' | 'waitMs' | 'tls' | 'secret'>;

export interface OpenedService {
  readonly service: CallService;
  /** For people, behind the URL. */
  readonly about: string;
  close(): Promise<void>;
}

export interface CallHost<Env extends CallHostEnv> {
  /** @throws SettingError */
  readEnv(): Env;
  readonly limits?: Partial<CallServerLimits>;
  /** Opens what lies in the data folder, which is this process's alone. @throws StoreError */
  open(env: Env, trace: ProcessTrace): Promise<OpenedService>;
}

/** Resolves once it serves, or ends the process with why it cannot. */
export async function serveCalls<Env extends CallHostEnv>(host: CallHost<Env>): Promise<void> {
  const trace = createProcessTrace();
  process.on('uncaughtException', (error) => exitWith(error, trace));
  await open(host, trace).catch((error: unknown) => exitWith(error, trace, 'start'));
}

async function open<Env extends CallHostEnv>(host: CallHost<Env>, trace: ProcessTrace): Promise<void> {
  const env = host.readEnv();
  const { tls, secret } = env;
  const certificate = tls === undefined ? undefined : await loadCertificate(tls);
  let opened: OpenedService | undefined;
  const calls = new CallServer({
    secret,
    service: {
      get bodyBytesMax() {
        return serviceOf(opened).bodyBytesMax;
      },
      serve: (...call) => serviceOf(opened).serve(...call),
    },
    checksum: zlibChecksum,
    isReady: () => opened !== undefined,
    metrics: () => trace.metrics(),
    report: (error) => trace.log.error({ event: 'server.error', err: error }),
    ...(host.limits === undefined ? {} : { limits: host.limits }),
  });
  trace.gauge('millrace_calls', 'Calls that are not answered to their end', {}, () => calls.callsCount);
  trace.gauge('millrace_call_bytes', 'Bytes of bodies and answers in memory', {}, () => calls.bytesCount);
  const server = createHttpServer({
    handle: (request, response) => calls.handle(request, response),
    ...(certificate === undefined ? {} : { certificate }),
  });
  if (tls !== undefined) await keepCertificate(server, tls, trace.log);
  const place = await takePlace(env, server);
  onSignals(
    async () => {
      server.retire();
      await calls.drain(DRAIN_MS_MAX);
      server.drain();
      await opened?.close();
      await place.lock.release();
      await server.close();
      process.exit(0);
    },
    (error) => exitWith(error, trace),
  );
  opened = await host.open(env, trace);
  const name = env.host.includes(':') ? `[${env.host}]` : env.host;
  process.stdout.write(`millrace listens on ${tls === undefined ? 'http' : 'https'}://${name}:${place.port} (${opened.about})\n`);
}

function serviceOf(opened: OpenedService | undefined): CallService {
  if (opened === undefined) throw new Error('nothing is served before it is open');
  return opened.service;
}
