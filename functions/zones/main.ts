// Says of each chunk server whether it may be given up now (Z21), by what the metadata of the channels says and the servers answer.
// It runs once, for an operator, where channel tasks run and with their settings: `node zones.mjs [part of a server's URL]`.
//
// Exit codes: 0 what was asked about may go (without a name: any one of the servers), 1 not, or nobody knows.

import { createDynamoClient } from '#core/adapters/aws/clients.ts';
import { DynamoMetadataStore } from '#core/adapters/aws/dynamo-metadata-store.ts';
import { checkTableFormat } from '#core/adapters/aws/table-format.ts';
import { createProcessTrace } from '#core/adapters/node/process-trace.ts';
import { systemClock as clock } from '#core/adapters/node/system-clock.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import { namedLogs, whyNotSpared, type ZoneServer } from '#core/cell/zone-loss.ts';
import { StoreError } from '#core/model/errors.ts';
import type { NativeZone } from '#functions/aws/env.ts';
import { zoneAtServer } from '#functions/channel/zone-places.ts';
import { exitWith } from '#functions/local/console.ts';
import { SettingError } from '#functions/local/env.ts';
import { readZonesEnv } from './env.ts';

const ATTEMPTS = { clock, random, attemptsMax: 5, attemptMsMax: 3_000, delayMs: { min: 20, max: 1_000 } };

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function look({ url, secret }: NativeZone): Promise<ZoneServer> {
  try {
    const { current, close } = await zoneAtServer(url, secret).open();
    await close?.();
    return { place: url, zone: current.zone };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    say(`${url}: ${error.message}`);
    return { place: url, zone: undefined };
  }
}

/** @returns whether what was asked about may go */
async function check(asked: string | undefined): Promise<boolean> {
  const env = readZonesEnv(process.env);
  const client = createDynamoClient();
  const metadata = new DynamoMetadataStore({ client, table: env.table, attempts: ATTEMPTS });
  await checkTableFormat(metadata, env.table);
  const servers = await Promise.all(env.nativeZones.map(look));
  const chosen = servers.filter(({ place }) => asked === undefined || place.includes(asked));
  if (chosen.length === 0 || (asked !== undefined && chosen.length > 1)) {
    throw new SettingError(
      `"${asked}" names ${chosen.length} chunk servers; it must be a part of one's URL: ${servers.map(({ place }) => place).join(' ')}`,
    );
  }
  // After the servers were asked: what was published since names zones that they have now.
  const logs = await namedLogs(metadata, { storageClass: 'native' });
  client.destroy();
  for (const { channel, epoch, zones } of logs) say(`epoch ${epoch} of ${channel} has zones ${zones.join(' ')}`);
  const answers = chosen.map((server) => {
    const reasons = whyNotSpared(server, servers, logs, CHUNK_STORE_KINDS.native);
    say(`${server.place} (${server.zone ?? 'silent'}) ${reasons.length === 0 ? 'may be replaced' : `must stay: ${reasons.join('; ')}`}`);
    return reasons.length === 0;
  });
  return answers.every((isGood) => isGood);
}

process.exitCode = await check(process.argv[2]).then(
  (isGood) => (isGood ? 0 : 1),
  (error: unknown) => exitWith(error, createProcessTrace(), 'start'),
);
