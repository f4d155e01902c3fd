// The thread that owns the metadata file: takes one group of commits at a time, and answers once it is durable.

import { parentPort, workerData } from 'node:worker_threads';
import { invariant } from '../../base/invariant.ts';
import { refused, StoreError } from '../../model/errors.ts';
import { type Commit, type Failure, type Outcome, SqliteItems, type SqliteOptions } from './sqlite-items.ts';

export interface WorkerSettings {
  readonly path: string;
  readonly options: SqliteOptions;
}

export type ToWorker =
  | { readonly kind: 'commit'; readonly group: readonly Commit[] }
  | { readonly kind: 'pragma'; readonly name: string }
  | { readonly kind: 'close' };

export type FromWorker =
  | { readonly kind: 'open'; readonly isLow: boolean }
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'pragma'; readonly value: unknown }
  | { readonly kind: 'outcomes'; readonly outcomes: readonly Outcome[]; readonly isLow: boolean };

function serve({ path, options }: WorkerSettings): void {
  const port = parentPort;
  invariant(port !== null, 'the metadata worker runs in a worker thread');
  const answer = (message: FromWorker): void => port.postMessage(message);
  let items: SqliteItems;
  try {
    items = new SqliteItems(path, 'write', options);
  } catch (error) {
    const { code, effect, message } = error instanceof StoreError ? error : refused('storage', String(error));
    answer({ kind: 'refused', failure: { failure: code, effect, message } });
    port.close();
    return;
  }
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'commit') {
      const outcomes = items.commitGroup(message.group);
      return answer({ kind: 'outcomes', outcomes, isLow: items.isLow });
    }
    if (message.kind === 'pragma') return answer({ kind: 'pragma', value: items.pragma(message.name) });
    items.close();
    port.close();
  });
  answer({ kind: 'open', isLow: items.isLow });
}

serve(workerData as WorkerSettings);
