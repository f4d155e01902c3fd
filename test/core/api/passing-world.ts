// A server that owns no channel, and peers that do what a test says: for what becomes of requests that are passed on.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createChannelPeers } from '#core/adapters/node/channel-peer.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { Access } from '#core/api/access/access.ts';
import { Tokens } from '#core/api/access/tokens.ts';
import type { HttpHandler } from '#core/api/http/handler.ts';
import type { Owners } from '#core/api/owners.ts';
import { channelId, epoch } from '#core/model/ids.ts';
import type { OwnerAddress } from '#core/model/owner-address.ts';
import type { Route } from '#core/placement/routes.ts';
import { listening } from '#test/support/listening.ts';
import { noTokens } from '#test/support/no-tokens.ts';
import { FakeStore } from './fake-store.ts';

export const BASIN = 'passing-basin';
const CHANNEL = channelId('express-0');

export interface Peer {
  readonly base: string;
  /** What it was asked, once its head came. */
  readonly seen: IncomingMessage[];
  handle: (request: IncomingMessage, response: ServerResponse) => void;
  close(): void;
}

export async function startPeer(handle: Peer['handle']): Promise<Peer> {
  const seen: IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    seen.push(request);
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    peer.handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const peer: Peer = {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    handle,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  return peer;
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

export interface PassingWorld {
  readonly origin: string;
  readonly handler: HttpHandler;
  readonly faults: unknown[];
  /** Where the channel is served, by its epochs; the last one that nobody refused or doubted is given. None: nobody serves it. */
  routes: OwnerAddress[];
  /** Whether this server serves the channel. */
  isHere: boolean;
  close(): Promise<void>;
}

export async function startPassing(): Promise<PassingWorld> {
  const store = new FakeStore();
  await store.service.basins.create(BASIN, { createStreamOnAppend: false, createStreamOnRead: false });
  await store.service.streams.create(BASIN, 'stream', {});
  const refused = new Set<string>();
  const forget = ({ address }: Route): void => void refused.add(address.peer);
  const owners: Owners = {
    address: { peer: 'http://127.0.0.1:1' },
    isHere: () => world.isHere,
    find: async () => {
      const at = world.routes.findIndex(({ peer }) => !refused.has(peer));
      const address = world.routes[at];
      return address === undefined ? undefined : { channel: CHANNEL, epoch: epoch(at + 1), address };
    },
    refused: forget,
    doubt: forget,
  };
  const access = new Access(
    { authority: noTokens, tokens: store.names.accessTokens, clock: systemClock },
    { mode: 'off', revocationMsMax: 10_000 },
  );
  const { revocations } = access;
  const tokens = { authority: noTokens, tokens: store.names.accessTokens, revocations, clock: systemClock, random: systemRandom };
  const peers = createChannelPeers();
  const served = {
    service: store.service,
    access,
    tokens: new Tokens({ ...tokens, meter: store.meter }),
    settings: store.settings,
    owners,
  };
  const { handler, server, origin, faults } = await listening(Promise.resolve(served), peers);
  const world: PassingWorld = {
    origin,
    handler,
    faults,
    routes: [],
    isHere: false,
    async close() {
      await server.close();
      peers.close();
    },
  };
  return world;
}
