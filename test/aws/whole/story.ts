// What happens to a cell, in order: the control plane makes what it needs; each storage class is written to at full load; while clients
// write and read, a zone fails, a task is killed, another one is released; then all of it lies in segments, is read from there, trimmed
// and deleted. At the end every service was asked.

import { AppendInput, AppendRecord, S2, type S2Basin } from '@s2-dev/streamstore';
import { BASIN as HISTORY_BASIN } from '#test/chaos/client.ts';
import { type CellOfTest, figureOf, ownerOf } from './cell.ts';
import { chunksLeft } from './chunks.ts';
import { measureLoad } from './full-load.ts';
import { type LoadedClass, readLoad, type Written } from './load.ts';
import { type Report, until } from './report.ts';
import type { RunOptions } from './run.ts';
import type { Services } from './services.ts';
import { Trouble } from './trouble.ts';

export const BASIN = 'whole-basin';
const CLASSES: readonly LoadedClass[] = ['express', 'standard'];
const CHANNELS = CLASSES.map((each) => `${each}-0`);
const SETTLE_MS_MAX = 120_000;
/** A log that is open holds its last chunks until the next ones are offloaded. */
const CHUNKS_LEFT_MAX = 12;
const TRIMMED_TO = 40;
const PATIENCE_MS = 60_000;

/** What a cell under work asks of each service: none of it may be missing. */
const ASKED: Readonly<Record<string, readonly string[]>> = {
  DynamoDB: ['GetItem', 'PutItem', 'UpdateItem', 'DeleteItem', 'Query', 'TransactWriteItems'],
  S3: ['PutObject', 'GetObject', 'ListObjectsV2', 'DeleteObjects'],
  'S3 Express': ['CreateSession', 'PutObject', 'GetObject', 'ListObjectsV2', 'DeleteObjects'],
  SQS: ['SendMessage', 'ReceiveMessage', 'DeleteMessage'],
  'Secrets Manager': ['GetSecretValue'],
};

export class Story {
  readonly #cell: CellOfTest;
  readonly #services: Services;
  readonly #options: RunOptions;
  readonly #report: Report;

  constructor(cell: CellOfTest, services: Services, options: RunOptions, report: Report) {
    this.#cell = cell;
    this.#services = services;
    this.#options = options;
    this.#report = report;
  }

  async tell(): Promise<void> {
    const token = await this.#controlPlane();
    const { url } = this.#cell.edge;
    const common = { accessToken: token, endpoints: { account: url, basin: url } };
    // At full load an answer takes long, and one that was given up may have had its effect.
    const basin = new S2({ ...common, retry: { maxAttempts: 5, requestTimeoutMillis: PATIENCE_MS } }).basin(BASIN);
    const impatient = new S2({ ...common, retry: { maxAttempts: 1 } });
    this.#cell.functions.start();
    const written: Written[] = [];
    for (const storageClass of CLASSES) written.push(await this.#fullLoad(basin, storageClass));
    await new Trouble(this.#cell, this.#services, this.#options, this.#report).bring(impatient, basin);
    await this.#settle();
    await this.#readSegments(basin, written);
    await this.#trim(basin, written);
    await this.#ended();
  }

  /** @returns a token that the Worker checks by itself */
  async #controlPlane(): Promise<string> {
    const { functions, rootToken } = this.#cell;
    this.#report.step('the control plane, as a function: two basins, and a token');
    for (const basin of [BASIN, HISTORY_BASIN]) {
      const made = await functions.ask(rootToken, 'POST', '/v1/basins', { basin });
      this.#report.check(`the basin ${basin} is made`, made.status === 201, `status ${made.status}`);
    }
    const scope = {
      basins: { prefix: '' },
      streams: { prefix: '' },
      op_groups: { basin: { read: true, write: true }, stream: { read: true, write: true } },
    };
    const issued = await functions.ask(rootToken, 'POST', '/v1/access-tokens', { id: 'writers', scope });
    this.#report.check('a token is issued', issued.status === 201, `status ${issued.status}`);
    return String(issued.json['access_token']);
  }

  async #fullLoad(basin: S2Basin, storageClass: LoadedClass): Promise<Written> {
    this.#report.step(`${storageClass}: ${this.#options.mib} MiB at full load, by the SDK through the edge`);
    const isOffloaded = (): Promise<boolean> => this.#isOffloaded(`${storageClass}-0`);
    return await measureLoad(basin, storageClass, this.#options.mib, this.#services, this.#report, isOffloaded);
  }

  async #isOffloaded(channel: string): Promise<boolean> {
    const owner = await ownerOf(this.#cell, channel);
    if (owner === undefined) return false;
    return (await figureOf(owner, this.#cell.rootToken, `millrace_channel_backlog_bytes{channel="${channel}"}`)) === 0;
  }

  async #settle(): Promise<void> {
    this.#report.step('all of it is offloaded, and its chunks go');
    const areOffloaded = async (): Promise<boolean> => {
      for (const channel of CHANNELS) if (!(await this.#isOffloaded(channel))) return false;
      return true;
    };
    await until('every channel is offloaded', SETTLE_MS_MAX, areOffloaded);
    const { ledger } = this.#services;
    const written = ledger.objects('S3', 'PutObject', 'chunks').requests + ledger.objects('S3 Express', 'PutObject', 'chunks').requests;
    await until('chunks are collected', SETTLE_MS_MAX, async () => (await chunksLeft(this.#services)) <= CHUNKS_LEFT_MAX);
    this.#report.check(
      'chunks are gone from all buckets',
      true,
      `${await chunksLeft(this.#services)} objects are left of ${written} writes`,
    );
  }

  async #readSegments(basin: S2Basin, written: readonly Written[]): Promise<void> {
    const { ledger } = this.#services;
    this.#report.step('history is read back through the edge');
    const reads = (): readonly number[] => [
      ledger.objects('S3', 'GetObject', 'segments').requests,
      ledger.objects('S3', 'GetObject', 'chunks').requests + ledger.objects('S3 Express', 'GetObject', 'chunks').requests,
    ];
    const [segmentsBefore = 0, chunksBefore = 0] = reads();
    for (const load of written) {
      const count = await readLoad(basin, load);
      this.#report.check(`every ${load.storageClass} record is as it was acknowledged`, true, `${count} records, ${load.bytes} bytes`);
    }
    const [segments = 0, chunks = 0] = reads();
    const detail = `${segments - segmentsBefore} reads of segments, ${chunks - chunksBefore} of chunks`;
    this.#report.check('it came from segments', segments > segmentsBefore && chunks === chunksBefore, detail);
  }

  async #trim(basin: S2Basin, written: readonly Written[]): Promise<void> {
    this.#report.step('one stream is trimmed, one of each class is deleted');
    const { functions, rootToken } = this.#cell;
    const headers = { 's2-basin': BASIN };
    const [trimmed = '', ...others] = written[0]?.streams ?? [];
    await trimTo(basin, trimmed, TRIMMED_TO);
    const target = `/v1/streams/${encodeURIComponent(trimmed)}/records?seq_num=0&count=1&clamp=true`;
    let first: unknown;
    await until('the trim point shows', SETTLE_MS_MAX, async () => {
      const { json } = await functions.ask(rootToken, 'GET', target, undefined, headers);
      first = (json['records'] as { seq_num: number }[] | undefined)?.[0]?.seq_num;
      return first === TRIMMED_TO;
    });
    this.#report.check('the control plane reads from the trim point on', true, `record ${first}`);
    const deleted = [others[0] ?? '', written[1]?.streams[0] ?? ''];
    for (const stream of deleted) await basin.streams.delete({ stream });
    const named = async (): Promise<readonly string[]> => {
      const { json } = await functions.ask(rootToken, 'GET', '/v1/streams?limit=1000', undefined, headers);
      return (json['streams'] as { name: string }[]).map(({ name }) => name);
    };
    await until('deleted streams are gone', SETTLE_MS_MAX, async () => {
      const names = await named();
      return names.length > 0 && deleted.every((stream) => !names.includes(stream));
    });
    this.#report.check('what was deleted is removed', true, deleted.join(', '));
  }

  async #ended(): Promise<void> {
    const { functions } = this.#cell;
    await functions.stop();
    this.#report.step('what ran, and what was asked');
    for (const name of ['api', 'offload', 'offload by the queue', 'gc', 'trim', 'sweep']) {
      this.#report.check(`the function ${name} did its work`, functions.done(name) > 0, `${functions.done(name)} times`);
    }
    const dead = await functions.queue.deadBodies();
    this.#report.check('no hint is a dead letter', dead.length === 0, `${dead.length} dead letters`);
    for (const failure of functions.failures) this.#report.note(`an invocation failed: ${failure.slice(0, 500)}`);
    for (const line of this.#services.ledger.lines()) this.#report.note(line);
    for (const [service, operations] of Object.entries(ASKED)) {
      const missing = operations.filter((operation) => this.#services.ledger.of(service, operation) === 0);
      this.#report.check(`${service} was asked for all that it is there for`, missing.length === 0, missing.join(', '));
    }
  }
}

async function trimTo(basin: S2Basin, stream: string, seqNum: number): Promise<void> {
  await basin.stream(stream, { forceTransport: 'fetch' }).append(AppendInput.create([AppendRecord.trim(seqNum)]));
}
