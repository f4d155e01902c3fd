import { describe, expect, test } from 'vitest';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import { type NamedLog, namedLogs, whyNotSpared, type ZoneServer } from '#core/cell/zone-loss.ts';
import { ChannelRegister } from '#core/metadata/channel-register.ts';
import { channelId, type Epoch, ownerNonce, zoneId } from '#core/model/ids.ts';

const server = (place: string, zone: string | undefined): ZoneServer => ({ place, zone: zone === undefined ? undefined : zoneId(zone) });
const log = (epoch: number, ...zones: string[]): NamedLog => ({
  channel: channelId('native-0'),
  epoch: epoch as Epoch,
  zones: zones.map(zoneId),
});

/** Of three servers, those that may go. */
function spared(servers: readonly ZoneServer[], logs: readonly NamedLog[]): string[] {
  return servers.filter((each) => whyNotSpared(each, servers, logs, CHUNK_STORE_KINDS.native).length === 0).map(({ place }) => place);
}

describe('Z21: a zone is given up only while the others hold enough of every log', () => {
  const healthy = [server('a', 'a-1'), server('b', 'b-1'), server('c', 'c-1')];
  const replaced = [server('a', 'a-2'), server('b', 'b-1'), server('c', 'c-1')];

  test('any one of three that are whole may go', () => {
    expect(spared(healthy, [log(1, 'a-1', 'b-1', 'c-1')])).toEqual(['a', 'b', 'c']);
    expect(spared(healthy, [])).toEqual(['a', 'b', 'c']);
  });

  test('while a log names a zone that is lost, only its successor may go', () => {
    const old = log(1, 'a-1', 'b-1', 'c-1');
    expect(spared(replaced, [old])).toEqual(['a']);
    expect(spared(replaced, [old, log(2, 'a-2', 'b-1', 'c-1')])).toEqual(['a']);
    expect(spared(replaced, [log(2, 'a-2', 'b-1', 'c-1')])).toEqual(['a', 'b', 'c']);
  });

  test('while one is silent, only that one may go: its disk may be lost, and it may not', () => {
    const silent = [server('a', undefined), server('b', 'b-1'), server('c', 'c-1')];
    expect(spared(silent, [log(1, 'a-1', 'b-1', 'c-1')])).toEqual(['a']);
    expect(spared(silent, [])).toEqual(['a']);
  });

  test('two lost zones of one log are one too many, whoever is asked about', () => {
    const twice = [server('a', 'a-2'), server('b', 'b-2'), server('c', 'c-1')];
    expect(spared(twice, [log(1, 'a-1', 'b-1', 'c-1')])).toEqual([]);
  });

  test('says which epoch would have lost what', () => {
    const [, b] = replaced as [ZoneServer, ZoneServer, ZoneServer];
    const [why] = whyNotSpared(b, replaced, [log(7, 'a-1', 'b-1', 'c-1')], CHUNK_STORE_KINDS.native);
    expect(why).toBe('Z21: epoch 7 of native-0 would have lost a-1 and b-1; it may lose 1');
  });
});

test('Z21: the logs of every channel of a storage class count, however many there are', async () => {
  const metadata = new MemoryMetadataStore();
  for (const at of [0, 5]) {
    const register = new ChannelRegister(metadata, channelId(`express-${at}`), 1_000);
    const claimed = await register.claim(await register.read(), ownerNonce(`a${at}`.padEnd(32, '0')));
    if (claimed === undefined) throw new Error('not claimed');
    await register.publish(claimed, { zones: [zoneId(`zone-${at}`)] });
  }
  const logs = await namedLogs(metadata, { storageClass: 'express' });
  expect(logs.map(({ channel, zones }) => [channel, zones])).toEqual([
    ['express-0', ['zone-0']],
    ['express-5', ['zone-5']],
  ]);
});
