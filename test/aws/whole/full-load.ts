// What a GiB costs in requests, by storage class, counted where they reach the emulators; and that at full load chunks are full.

import type { S2Basin } from '@s2-dev/streamstore';
import { CHUNK_STORE_KINDS } from '#core/cell/config.ts';
import { areaOf, type StorageService } from './ledger.ts';
import { type LoadedClass, type Written, writeLoad } from './load.ts';
import { type Report, until } from './report.ts';
import type { Services } from './services.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Of the chunk writes that full chunks would take. */
const EXCESS_MAX = 1.05;
const OFFLOAD_MS_MAX = 120_000;

interface Kind {
  readonly service: StorageService;
  readonly kind: 'express' | 'objects';
  /**
   * At full load a store is what everybody waits for. S3 on this machine answers sooner than so few processors make records, so it is
   * slowed down, by no more than what makes a client ask a second time; three copies in S3 Express are slow enough here.
   */
  readonly delayMs: number;
  /** So many have more in flight than is needed to fill what may be under way; more would only time out. */
  readonly writers: number;
}

const KINDS: Readonly<Record<LoadedClass, Kind>> = {
  express: { service: 'S3 Express', kind: 'express', delayMs: 0, writers: 4 },
  standard: { service: 'S3', kind: 'objects', delayMs: 1_100, writers: 48 },
};
/** What is counted: before, writers begin one after the other, and afterwards they end so. */
const COUNTED = { from: 0.25, to: 0.85 };

interface Count {
  readonly share: number;
  readonly requests: number;
  readonly bytes: number;
}

export async function measureLoad(
  basin: S2Basin,
  storageClass: LoadedClass,
  mib: number,
  { ledger, s3 }: Services,
  report: Report,
  isOffloaded: () => Promise<boolean>,
): Promise<Written> {
  const { service, delayMs, writers } = KINDS[storageClass];
  const all = ledger.snapshot();
  const count = (share: number): Count => ({ share, ...ledger.objects(service, 'PutObject', 'chunks') });
  const counts = [count(0)];
  s3.delayMs = ({ operation, path }) => (operation === 'PutObject' && areaOf(path) === 'chunks' ? delayMs : 0);
  const written = await writeLoad(basin, storageClass, mib * MIB, writers, (share) => void counts.push(count(share)));
  s3.delayMs = undefined;
  counts.push(count(1));
  report.note(`${(written.bytes / MIB).toFixed(1)} MiB in ${(written.ms / 1_000).toFixed(1)} s: ${rate(written)}`);
  checkChunks(storageClass, written.bytes, counts, report);
  await until(`${storageClass} is offloaded`, OFFLOAD_MS_MAX, isOffloaded);
  const costs = ledger.since(all).map(([name, requests]) => `${name} ${Math.round((requests * GIB) / written.bytes)}`);
  report.note(`requests per GiB of ${storageClass}, offload included: ${costs.join(', ')}`);
  return written;
}

function checkChunks(storageClass: LoadedClass, bytesWritten: number, counts: readonly Count[], report: Report): void {
  const { batching, zonesCount } = CHUNK_STORE_KINDS[KINDS[storageClass].kind];
  const between = (from: number, to: number): { readonly requests: number; readonly full: number; readonly text: string } => {
    const [first, last] = [counts.find(({ share }) => share >= from), counts.find(({ share }) => share >= to)];
    if (first === undefined || last === undefined) throw new Error('nothing was acknowledged');
    const requests = last.requests - first.requests;
    const full = (((last.share - first.share) * bytesWritten) / batching.chunkBytesTarget) * zonesCount;
    const kib = Math.round((last.bytes - first.bytes) / Math.max(1, requests) / 1024);
    return { requests, full, text: `${requests} of ${kib} KiB where ${full.toFixed(1)} would be full: ${(requests / full).toFixed(3)}` };
  };
  const counted = between(COUNTED.from, COUNTED.to);
  report.note(`chunk writes from the first to the last record: ${between(0, 1).text}`);
  // One chunk may lie across either end of what is counted.
  const most = EXCESS_MAX * counted.full + zonesCount;
  report.check(
    `${storageClass}: at full load chunk writes are at most ${EXCESS_MAX} times as many as full ones`,
    counted.requests <= most,
    counted.text,
  );
  const bytes = (counts.at(-1)?.bytes ?? 0) - (counts[0]?.bytes ?? 0);
  report.check(
    `${storageClass}: a quorum of zones got all of it`,
    bytes >= bytesWritten * Math.min(zonesCount, 2),
    `${bytes} bytes of chunks`,
  );
}

function rate({ bytes, ms }: Written): string {
  return `${(bytes / MIB / (ms / 1_000)).toFixed(1)} MiB/s`;
}
