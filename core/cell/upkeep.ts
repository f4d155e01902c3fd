// What functions do for a cell in the place of its tasks: the background jobs that anyone may run, each under its lease, with its
// cursor in metadata, and as far as the time of one run reaches.
//
// What takes the owner of a channel is not here (J4): tasks that leave their upkeep to functions still seal, flush usage, and offload
// where no function comes.

import { runCompact } from '../jobs/compact.ts';
import {
  decodeDeleted,
  decodeObjectCursor,
  decodeStreamCursor,
  encodeDeleted,
  encodeObjectCursor,
  encodeStreamCursor,
} from '../jobs/cursors.ts';
import { runDelete } from '../jobs/delete.ts';
import { runChunkGc, runObjectGc } from '../jobs/gc.ts';
import { type JobRunOptions, type RunOutcome, runJob, WALK_SLICE_MS } from '../jobs/job-run.ts';
import { runOffload } from '../jobs/offload.ts';
import { runSweepLogs, runSweepObjects } from '../jobs/sweep.ts';
import { runTrim } from '../jobs/trim.ts';
import { Repository } from '../metadata/repository.ts';
import { refused, StoreError } from '../model/errors.ts';
import type { ChannelId } from '../model/ids.ts';
import type { ChunkLogs } from '../ports/chunk-log.ts';
import type { OffloadHint } from '../ports/offload-queue.ts';
import type { CellPorts } from './cell.ts';
import type { CellConfig } from './config.ts';
import { channelsOf, chunkLogsOf } from './zone-logs.ts';

export type UpkeepPorts = Pick<CellPorts, 'clock' | 'random' | 'checksum' | 'trace' | 'metadata' | 'objects' | 'zones'>;
type UpkeepConfig = Pick<CellConfig, 'channelsPerClass' | 'retryDelayMs' | 'readPlanAgeMs' | 'offload'>;

/** What is left of the time of a run; negative once it is over. */
export type Remaining = () => number;
/** What became of each job, by its name. */
export type Outcomes = Readonly<Record<string, RunOutcome>>;

type Job = Pick<JobRunOptions, 'job' | 'slice' | 'sliceMsMax'>;

export class Upkeep {
  readonly #ports: UpkeepPorts & { readonly repository: Repository };
  readonly #config: UpkeepConfig;
  readonly #logs: ReadonlyMap<ChannelId, ChunkLogs>;

  constructor(ports: UpkeepPorts, config: UpkeepConfig) {
    this.#ports = { ...ports, repository: new Repository(ports.metadata, ports.clock, ports.random) };
    this.#config = config;
    this.#logs = new Map(
      ports.zones.flatMap((zones) => {
        const logs = chunkLogsOf(ports, config, zones);
        return channelsOf(zones, config.channelsPerClass).map((channel): [ChannelId, ChunkLogs] => [channel, logs]);
      }),
    );
  }

  get channels(): readonly ChannelId[] {
    return [...this.#logs.keys()];
  }

  /**
   * Offloads what waits in a channel. Where it stands is in M, so it has no cursor.
   *
   * @throws StoreError `not_found`: this cell has no such channel
   */
  async offload(channel: ChannelId, hint: Omit<OffloadHint, 'channel'> | undefined, remainingMs: Remaining): Promise<RunOutcome> {
    const ports = { ...this.#ports, chunkLogs: this.#logsOf(channel) };
    const request = { channel, bytesMax: this.#config.offload.runBytesMax, ...(hint === undefined ? {} : { hint }) };
    const slice = (_: unknown, budgetMs: number) => runOffload(ports, request, budgetMs);
    return await runJob(ports, { job: `offload/${channel}`, remainingMs, slice });
  }

  /** Deletes chunks that are offloaded, and objects that nothing names any more. */
  async gc(remainingMs: Remaining): Promise<Outcomes> {
    const ofChannels = this.channels.map((channel): Job => {
      const ports = { ...this.#ports, chunkLogs: this.#logsOf(channel) };
      return {
        job: `gc/${channel}`,
        async slice(cursor, budgetMs) {
          const { isDone, deleted } = await runChunkGc(ports, { channel, deleted: decodeDeleted(cursor) }, budgetMs);
          return { isDone, cursor: encodeDeleted(deleted) };
        },
      };
    });
    const safetyAgeMs = this.#config.readPlanAgeMs;
    const slice: Job['slice'] = (_, budgetMs) => runObjectGc(this.#ports, { safetyAgeMs }, budgetMs);
    return await this.#each([...ofChannels, { job: 'gc/objects', slice }], remainingMs);
  }

  /** Applies trim points and retention, joins small segments, and removes what is deleted and sealed. */
  async trim(remainingMs: Remaining): Promise<Outcomes> {
    const walk = (job: string, run: typeof runTrim | typeof runCompact): Job => ({
      job,
      sliceMsMax: WALK_SLICE_MS,
      slice: async (fields, budgetMs) => {
        const cursor = decodeStreamCursor(fields);
        const report = await run(this.#ports, cursor === undefined ? {} : { cursor }, budgetMs);
        return { isDone: report.isDone, cursor: encodeStreamCursor(report.cursor) };
      },
    });
    const removal: Job = { job: 'delete', slice: (_, budgetMs) => runDelete(this.#ports, {}, budgetMs) };
    return await this.#each([removal, walk('trim', runTrim), walk('compact', runCompact)], remainingMs);
  }

  /** Finds what no metadata names, and deletes it. */
  async sweep(remainingMs: Remaining): Promise<Outcomes> {
    const ofChannels = this.channels.map((channel): Job => {
      const ports = { ...this.#ports, chunkLogs: this.#logsOf(channel) };
      return { job: `sweep/${channel}`, slice: (_, budgetMs) => runSweepLogs(ports, { channel }, budgetMs) };
    });
    const objects: Job = {
      job: 'sweep/objects',
      sliceMsMax: WALK_SLICE_MS,
      slice: async (fields, budgetMs) => {
        const cursor = decodeObjectCursor(fields);
        const report = await runSweepObjects(this.#ports, cursor === undefined ? {} : { cursor }, budgetMs);
        return { isDone: report.isDone, cursor: encodeObjectCursor(report.cursor) };
      },
    };
    return await this.#each([...ofChannels, objects], remainingMs);
  }

  #logsOf(channel: ChannelId): ChunkLogs {
    const logs = this.#logs.get(channel);
    if (logs === undefined) throw refused('not_found', `this cell has no channel ${channel}`);
    return logs;
  }

  /** One after the other, each with its share of the time that is left. @throws the first failure, once all had their turn */
  async #each(jobs: readonly Job[], remainingMs: Remaining): Promise<Outcomes> {
    const outcomes: Record<string, RunOutcome> = {};
    let failure: StoreError | undefined;
    for (const [i, options] of jobs.entries()) {
      const { trace } = this.#ports;
      const kept = remainingMs() * (1 - 1 / (jobs.length - i));
      try {
        outcomes[options.job] = await runJob(this.#ports, { ...options, remainingMs: () => remainingMs() - kept });
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        trace.event('job.failed', { job: options.job, code: error.code, message: error.message });
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return outcomes;
  }
}
