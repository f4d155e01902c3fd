// The control plane in one process of Lambda: a cell that owns no channel, its HTTP face behind a socket file, and what is counted
// written before each invocation ends, as nothing runs between them.

import { once } from 'node:events';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Logger } from 'pino';
import { createChannelPeers } from '#core/adapters/node/channel-peer.ts';
import { logEvent } from '#core/adapters/node/event-log.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { createThawingClock } from '#core/adapters/node/thawing-clock.ts';
import { createTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { zlibCodec as codec } from '#core/adapters/node/zlib-codec.ts';
import { createHttpHandler } from '#core/api/http/handler.ts';
import { createCell, type ZoneSet } from '#core/cell/cell.ts';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import { readSecret } from '#functions/aws/secrets.ts';
import { openAwsMetadata } from '#functions/aws/storage.ts';
import { type ApiSettings, readApiEnv } from './env.ts';
import type { EventRequest } from './event.ts';
import { gatewayOwners, gatewayPeers, NOWHERE } from './gateway.ts';

export interface Answered {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface ApiHost {
  /** @throws Error where the answer is longer than Lambda takes */
  ask(request: EventRequest): Promise<Answered>;
  /** Writes what was counted since. */
  flush(): Promise<void>;
}

/** Lambda takes 6 MB, in base64 if need be. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const SECRET_ATTEMPTS = { attemptsMax: 3, attemptMsMax: 3_000, delayMs: { min: 50, max: 500 } };

/** @throws StoreError naming what cannot be opened; SettingError */
export async function openApi(settings: ApiSettings, log: Logger): Promise<ApiHost> {
  const clock = createThawingClock();
  const secrets = new SecretsManagerClient({ maxAttempts: 1 });
  const attempts = { ...SECRET_ATTEMPTS, clock, random };
  const [rootToken, signing] = await Promise.all([
    readSecret(secrets, settings.secretIds.rootToken, attempts),
    readSecret(secrets, settings.secretIds.signing, attempts),
  ]);
  secrets.destroy();
  const env = readApiEnv(settings, { rootToken, signing }, process.env);
  const { ports } = await openAwsMetadata(env, { event: (name, fields) => logEvent(log, name, fields) }, clock);
  const cell = createCell(
    {
      ...ports,
      cipher: await loadNodeCiphers(),
      authority: createTokenAuthority(env.signingSecret, env.rootToken),
      zones: zonesElsewhere(settings),
    },
    env.config,
    { address: NOWHERE },
  );
  const { service, access, tokens } = cell;
  const handler = createHttpHandler({
    served: Promise.resolve({ service, access, tokens, settings: cell.settings, owners: gatewayOwners(env.cellUrl) }),
    peers: gatewayPeers(createChannelPeers()),
    clock,
    codec,
    basinSuffixes: env.basinSuffixes,
    readiness: () => 'ready',
    metrics: () => '',
    report: (error) => log.error({ event: 'server.error', err: error }),
  });
  const socketPath = path.join(tmpdir(), `millrace-api-${process.pid}.sock`);
  const server = http.createServer((request, response) => handler.handle(request, response)).listen(socketPath);
  await once(server, 'listening');
  return { ask: (request) => ask(socketPath, request), flush: () => cell.flushUsage() };
}

/** The classes that the cell has; no chunk of theirs is looked at here. */
function zonesElsewhere({ expressBuckets, nativeZones }: ApiSettings): readonly ZoneSet[] {
  const none = { stores: () => [], currentZones: () => [] };
  return [
    ...(expressBuckets.length === 0 ? [] : [{ ...none, storageClass: 'express' as const, kind: CHUNK_STORE_KINDS.express }]),
    ...(nativeZones.length === 0 ? [] : [{ ...none, storageClass: 'native' as const, kind: CHUNK_STORE_KINDS.native }]),
    { ...none, storageClass: 'standard', kind: CHUNK_STORE_KINDS.objects },
  ];
}

function ask(socketPath: string, { method, target, headers, body }: EventRequest): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path: target, headers, agent: false, setHost: false }, (response) => {
      const pieces: Buffer[] = [];
      let length = 0;
      response.on('data', (piece: Buffer) => {
        length += piece.length;
        if (length <= ANSWER_BYTES_MAX) pieces.push(piece);
        else request.destroy(new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 500, headers: response.headers, body: Buffer.concat(pieces) }));
    });
    request.on('error', reject);
    request.end(body);
  });
}
