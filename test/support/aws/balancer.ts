// A load balancer on loopback, as the one of a cell: it passes connections through and knows no request, and gives new ones to those
// targets that answer their health check.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Balancer {
  readonly endpoint: string;
  /** Where connections go from now on: those that are open go on. */
  targets: readonly string[];
  stop(): Promise<void>;
}

const CHECK_EVERY_MS = 250;
const CHECK_MS_MAX = 2_000;

export async function startBalancer(): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let healthy: readonly string[] = [];
  let turn = 0;
  const balancer = { endpoint: '', targets: [] as readonly string[], stop };
  const server = createServer({ noDelay: true }, (client) => {
    sockets.add(client);
    client.once('close', () => sockets.delete(client)).on('error', () => client.destroy());
    pass(client, healthy.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  balancer.endpoint = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const timer = setInterval(() => void check(), CHECK_EVERY_MS);
  return balancer;

  /** A target that takes no connection is given up for the next one: nothing of the client's was read yet. */
  function pass(client: Socket, triesLeft: number): void {
    turn += 1;
    const target = healthy[turn % Math.max(1, healthy.length)];
    if (target === undefined || triesLeft === 0 || client.destroyed) return void client.destroy();
    const { hostname, port } = new URL(target);
    const out = connect({ host: hostname, port: Number(port), noDelay: true });
    const onRefused = (): void => {
      healthy = healthy.filter((each) => each !== target);
      pass(client, triesLeft - 1);
    };
    out.once('error', onRefused);
    out.once('connect', () => {
      out.off('error', onRefused).on('error', () => client.destroy());
      client.once('close', () => out.destroy());
      out.once('close', () => client.destroy());
      client.pipe(out).pipe(client);
    });
  }

  async function check(): Promise<void> {
    const answers = await Promise.all(balancer.targets.map(isHealthy));
    healthy = balancer.targets.filter((_, i) => answers[i]);
  }

  async function stop(): Promise<void> {
    clearInterval(timer);
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  }
}

async function isHealthy(target: string): Promise<boolean> {
  try {
    const answer = await fetch(`${target}/health`, { signal: AbortSignal.timeout(CHECK_MS_MAX) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
