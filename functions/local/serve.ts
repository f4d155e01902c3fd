// Serves a cell over HTTP until SIGTERM: what every host that takes clients does with its settings and its storage.

import { flushCompileCache } from 'node:module';
import { createChannelPeers } from '#core/adapters/node/channel-peer.ts';
import { createHttpServer, type HttpServer } from '#core/adapters/node/http-server.ts';
import { createProcessTrace, type ProcessTrace } from '#core/adapters/node/process-trace.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { createHttpHandler, type HttpHandler, type Served } from '#core/api/http/handler.ts';
import { type Cell, type CellPorts, createCell, type OwnedChannel, type Proof, type TaskSettings } from '#core/cell/cell.ts';
import { keepCertificate, loadCertificate } from './certificate.ts';
import { banner, exitWith, tellRootToken } from './console.ts';
import type { LocalEnv } from './env.ts';
import { onSignals } from './signals.ts';
import type { Port } from './succession.ts';

/** Sessions that are advised to go elsewhere do so in a round trip; those that are quiet hear of it at the end. */
const DRAIN_MS = 1_000;
const SERVING_POLL_MS = 100;
const FLUSH_POLL_MS = 20;
const FLUSH_POLLS_MAX = 25;

const trace = createProcessTrace();
process.on('uncaughtException', (error) => exitWith(error, trace));
/** Until there is something to end well, nothing is lost by ending. */
let stop = async (): Promise<void> => process.exit(0);
onSignals(
  () => stop(),
  (error) => exitWith(error, trace),
);

export interface HostStorage {
  readonly ports: CellPorts;
  /** Made at this start, to be told once. */
  readonly newRootToken?: string;
  close(): Promise<void>;
}

export interface Host<Env extends ServingEnv, Place extends Port> {
  /** @throws SettingError naming the variable, what it is, and what it must be */
  readEnv(): Env;
  /** Opens the port, and makes sure of whatever else only one process may have. What comes to the port waits until all is open. */
  takePlace(env: Env, server: HttpServer): Promise<Place>;
  openStorage(env: Env, place: Place, trace: ProcessTrace): Promise<HostStorage>;
  /** What shows that nobody else owns a channel. */
  readonly proof: Proof;
  /** Of a process that is one of several; absent: it is the only one. */
  readonly task?: (env: Env, place: Place) => TaskSettings;
  /** Tells what the cell does, to whom the host likes. */
  readonly watch?: (env: Env, cell: Cell) => void;
}

export type ServingEnv = Pick<LocalEnv, 'port' | 'host' | 'config' | 'basinSuffixes' | 'tls'>;

/** Resolves once it serves, or ends the process with why it cannot. */
export async function serve<Env extends ServingEnv, Place extends Port>(host: Host<Env, Place>): Promise<void> {
  await open(host).catch((error) => exitWith(error, trace, 'start'));
}

async function open<Env extends ServingEnv, Place extends Port>({
  readEnv,
  takePlace,
  openStorage,
  proof,
  task,
  watch,
}: Host<Env, Place>): Promise<void> {
  const env = readEnv();
  const { host, config, basinSuffixes, tls } = env;
  const certificate = tls === undefined ? undefined : await loadCertificate(tls);
  let cell: Cell | undefined;
  const served = Promise.withResolvers<Served>();
  const peers = task === undefined ? undefined : createChannelPeers();
  const handler = createHttpHandler({
    served: served.promise,
    ...(peers === undefined ? {} : { peers }),
    basinSuffixes,
    clock: systemClock,
    codec: zlibCodec,
    readiness: () => (cell?.isServing === true ? 'ready' : 'degraded'),
    metrics: () => trace.metrics(),
    observe: trace.request,
    report: (error, requestId) => trace.log.error({ event: 'server.error', requestId, err: error }),
  });
  const server = createHttpServer({
    handle: (request, response) => handler.handle(request, response),
    ...(certificate === undefined ? {} : { certificate }),
  });
  if (tls !== undefined) await keepCertificate(server, tls, trace.log);
  gaugeServer(trace, handler, server);
  const place = await takePlace(env, server);
  const storage = await openStorage(env, place, trace);
  if (storage.newRootToken !== undefined) tellRootToken(storage.newRootToken);
  cell = createCell(storage.ports, config, task?.(env, place));
  gaugeCell(trace, cell);
  watch?.(env, cell);
  let isUp = true;
  const isStillUp = (): boolean => isUp;
  stop = async () => {
    isUp = false;
    server.retire();
    await handler.drain(DRAIN_MS);
    server.drain();
    // The next process waits for this.
    const closed = cell?.close().then(() => storage.close());
    await Promise.all([closed, flush(server)]);
    peers?.close();
    process.exit(0);
  };
  await cell.open(proof);
  if (!isStillUp()) return;
  served.resolve(cell);
  // Why it does not serve is in the log; it may yet, when a disk has room or a zone is back.
  while (!cell.isServing && isStillUp()) await systemClock.sleep(SERVING_POLL_MS);
  if (!isStillUp()) return;
  banner({ host, port: place.port, isTls: tls !== undefined, access: config.access.mode, basinSuffixes });
  // Where NODE_COMPILE_CACHE names a folder, the next start is faster, even if this process never ends well.
  flushCompileCache();
}

/** What was answered last may still be on its way out. */
async function flush(server: HttpServer): Promise<void> {
  for (let i = 0; i < FLUSH_POLLS_MAX && server.connectionsCount > 0; i += 1) await systemClock.sleep(FLUSH_POLL_MS);
  await server.close();
}

function gaugeServer(trace: ProcessTrace, handler: HttpHandler, server: HttpServer): void {
  trace.gauge('millrace_open_requests', 'Requests and sessions that are not answered to their end', {}, () => handler.openCount);
  trace.gauge('millrace_open_connections', 'Connections of clients', {}, () => server.connectionsCount);
}

function gaugeCell(trace: ProcessTrace, cell: Cell): void {
  for (const owned of cell.channels) gaugeChannel(trace, owned);
  trace.gauge('millrace_read_bytes', 'Bytes of segments that readers hold', {}, () => cell.gauges.readBytes);
}

function gaugeChannel(trace: ProcessTrace, owned: OwnedChannel): void {
  const labels = { channel: owned.id };
  const read = () => owned.channel.gauges;
  trace.gauge('millrace_channel_ready', 'Whether the channel is served', labels, () => (owned.channel.isReady ? 1 : 0));
  trace.gauge('millrace_channel_streams', 'Streams in memory', labels, () => read().streams);
  trace.gauge('millrace_channel_held_bytes', 'Bytes of records in memory', labels, () => read().heldBytes);
  trace.gauge('millrace_channel_backlog_bytes', 'Of those, bytes that wait for offload', labels, () => read().backlogBytes);
  trace.gauge('millrace_channel_waiting_bytes', 'Bytes of appends that wait for room', labels, () => read().waitingBytes);
  trace.gauge('millrace_channel_in_flight_bytes', 'Bytes of records sequenced and not committed', labels, () => read().inFlightBytes);
  trace.gauge('millrace_channel_zone_chunks', 'Chunks that the slowest zone has yet to store', labels, () => read().zoneChunks);
}
