// Appends and reads that count themselves: made once for each request or session, so that a batch costs some additions.

import type { RecordBatch } from '../../format/record.ts';
import type { StreamId } from '../../model/ids.ts';
import type { StorageClass } from '../../model/stream-config.ts';
import { counterIndex, type ReadKind } from '../../model/usage.ts';
import type { ReadSession } from '../deps.ts';
import { type AppendCounters, appendCounters, type Counters, type Meter } from './meter.ts';

const FENCE = counterIndex('fence');
const TRIM = counterIndex('trim');
const READ = counterIndex('read');
const READ_BYTES = counterIndex('read-bytes');
const READ_KINDS: { readonly [Kind in ReadKind]: number } = {
  unary: counterIndex('read-ops/unary'),
  streaming: counterIndex('read-ops/streaming'),
};

/** Appends to one stream. */
export class CountedAppends {
  readonly #meter: Meter;
  readonly #counters: Counters;
  readonly #to: AppendCounters;
  readonly #streamId: StreamId;
  readonly #basin: string;

  constructor(meter: Meter, basin: string, streamId: StreamId, storageClass: StorageClass) {
    this.#meter = meter;
    this.#counters = meter.basin(basin);
    this.#to = appendCounters(storageClass);
    this.#streamId = streamId;
    this.#basin = basin;
  }

  acknowledged({ meteredBytes, commands }: Pick<RecordBatch, 'meteredBytes' | 'commands'>): void {
    this.#counters.appended(this.#to, meteredBytes);
    for (const { kind } of commands) this.#counters.add(kind === 'fence' ? FENCE : TRIM);
    this.#meter.changed(this.#streamId, this.#basin);
  }
}

/** A read counts once: a session when it is open, a unary read with its answer; its bytes as they are handed out. */
export function countedRead(session: ReadSession, counters: Counters, kind: ReadKind): ReadSession {
  const count = (): void => {
    counters.add(READ);
    counters.add(READ_KINDS[kind]);
  };
  if (kind === 'streaming') count();
  return {
    async next(signal) {
      const batch = await session.next(signal);
      if (batch === 'end') return batch;
      if (kind === 'unary') count();
      if (batch.meteredBytes > 0) counters.add(READ_BYTES, batch.meteredBytes);
      return batch;
    },
    close: () => session.close(),
  };
}
