// One client: it finds the owner, makes its calls one after the other, and records what it saw.

import type { Service } from '#core/api/service.ts';
import type { AppendAck } from '#core/model/append.ts';
import { StoreError } from '#core/model/errors.ts';
import type { SeqNum, StreamPosition } from '#core/model/ids.ts';
import type { ReadBatch } from '#core/model/read.ts';
import type { Aside } from './aside/side-calls.ts';
import type { Report } from './audit.ts';
import { appended, encodeBatch, plainCount, type RecordToAppend, recordsOf } from './bodies.ts';
import type { Catalog } from './catalog.ts';
import type { Cluster } from './cluster.ts';
import type { EventLoop } from './event-loop.ts';
import type { Operation, Outcome } from './history.ts';
import type { Answer, Process } from './process.ts';
import type { Dice } from './random.ts';
import type { Recorder } from './recorder.ts';
import type { Situations } from './situations.ts';
import { isStatement } from './statements.ts';

/** Far beyond any pause that the core makes by itself. */
const WELL_PATIENCE_MS = 20_000;

type Handle = (service: Service, process: Process) => Promise<Outcome>;

/** What clients tell each other of a stream, as those of one application would. It may be out of date. */
export interface Knowledge {
  tail: number;
  token: string;
  trimPoint: number;
}

export interface ClientWorld {
  readonly loop: EventLoop;
  readonly cluster: Cluster;
  readonly recorder: Recorder;
  readonly situations: Situations;
  readonly known: Map<string, Knowledge>;
  readonly deleted: Set<string>;
  /** Share of the messages between clients and processes that get lost now. */
  readonly losses: () => number;
  /** The newest epoch that is known to be published: who has an older one was replaced. */
  readonly epoch: () => number;
  /** Nothing goes wrong any more: every call is answered. */
  readonly isWell: () => boolean;
  readonly fetches: () => number;
  readonly backlogBytesMax: number;
  /** Told of every acknowledgement at the moment at which it is given. */
  readonly acknowledged: (stream: string, start: number) => void;
  readonly catalog: Catalog;
  readonly aside: Aside;
  readonly fail: Report;
}

/** Codes of failures that say: ask somebody else, later. */
const ELSEWHERE = new Set(['unavailable', 'deposed', 'draining', 'not-sent']);

export class Client {
  readonly id: number;
  readonly #world: ClientWorld;
  readonly #dice: Dice;
  /** A client gives up waiting after this long. */
  patienceMs: number;
  /** Asks this process and no other, whoever is the owner. */
  only: Process | undefined;

  constructor(id: number, world: ClientWorld, dice: Dice) {
    this.id = id;
    this.#world = world;
    this.#dice = dice;
    this.patienceMs = dice.range(1_000, 4_000);
  }

  get dice(): Dice {
    return this.#dice;
  }

  knowledge(stream: string): Knowledge {
    const { known } = this.#world;
    const found = known.get(stream) ?? { tail: 0, token: '', trimPoint: 0 };
    known.set(stream, found);
    return found;
  }

  async append(
    stream: string,
    drawn: readonly RecordToAppend[],
    conditions: { matchSeqNum?: number; fencingToken?: string } = {},
  ): Promise<Outcome> {
    const knowledge = this.knowledge(stream);
    const records = this.#kept(stream, drawn);
    const { catalog } = this.#world;
    const operation: Operation = { kind: 'append', stream, records: records.map(appended), ...conditions };
    const outcome = await this.#call(operation, async (service, process) => {
      const { cell } = process;
      for (const { channel } of cell.channels) {
        if (channel.gauges.backlogBytes >= this.#world.backlogBytesMax) this.#world.situations.count('append held back');
      }
      const expected = conditions as { matchSeqNum?: SeqNum; fencingToken?: string };
      return this.#acknowledged(stream, await service.append(catalog.target(stream), encodeBatch(records), expected));
    });
    if (outcome.kind === 'appended') {
      knowledge.tail = outcome.tail;
      for (const record of records) {
        if (record.kind === 'fence') knowledge.token = record.token;
        if (record.kind === 'trim') knowledge.trimPoint = Math.max(knowledge.trimPoint, Math.min(record.to, outcome.end));
      }
    }
    if (outcome.kind === 'unknown') this.#world.situations.count('append ended unknown');
    return outcome;
  }

  checkTail(stream: string): Promise<Outcome> {
    return this.#call({ kind: 'check-tail', stream }, async (service) => {
      const { seqNum, timestamp } = await service.checkTail(this.#world.catalog.target(stream));
      return { kind: 'tail', tail: seqNum, timestamp: Number(timestamp) };
    });
  }

  /** One unary read. */
  read(stream: string, from: number, options: { clamp?: boolean; count?: number; waitSecs?: number } = {}): Promise<Outcome> {
    const { clamp, count, waitSecs } = options;
    const operation: Operation = {
      kind: 'read',
      stream,
      from,
      ...(clamp === undefined ? {} : { clamp }),
      ...(count === undefined ? {} : { count }),
    };
    return this.#call(operation, async (service, process) => {
      const request = {
        start: { kind: 'seqNum', seqNum: from as SeqNum } as const,
        clamp: clamp ?? false,
        ...(count === undefined ? {} : { count }),
        ...(waitSecs === undefined ? {} : { waitSecs }),
      };
      const session = await service.openRead(this.#world.catalog.target(stream), request, 'unary');
      try {
        const batch = await session.next();
        this.#checkTold(process, batch);
        return this.#readOutcome(stream, batch);
      } finally {
        session.close();
      }
    });
  }

  async create(stream: string): Promise<Outcome> {
    const outcome = await this.#call({ kind: 'create', stream }, async (service) => {
      await service.streams.create(this.#world.catalog.basinOf(stream), stream, {});
      return { kind: 'created' };
    });
    if (outcome.kind === 'created' && this.#world.deleted.delete(stream)) this.#world.situations.count('stream deleted and made again');
    return outcome;
  }

  /**
   * Batches of one append session, one behind the other without waiting. Each is recorded as an append; beside what any history
   * must fulfil, none may take effect behind one that was refused.
   */
  async appendSession(stream: string, drawn: readonly (readonly RecordToAppend[])[]): Promise<void> {
    const process = await this.#route();
    const { recorder, situations, fail, catalog } = this.#world;
    const batches = drawn.map((records) => this.#kept(stream, records));
    const session = recorder.newSession();
    const operations = batches.map((records) => ({ kind: 'append', stream, records: records.map(appended), session }) as const);
    const calls = operations.map((operation) => recorder.begin(this.id, operation));
    // As over HTTP: who sends is slowed while there is no room; or everything comes at once.
    const isSlowed = this.#dice.chance(0.5);
    const answer = await this.#serve(process, `an append session to ${stream}`, async (service) => {
      const opened = await service.openAppendSession(catalog.target(stream));
      const submit = async (records: readonly RecordToAppend[]): Promise<AppendAck> => {
        const ack = await opened.submit(encodeBatch(records), {});
        this.#acknowledged(stream, ack);
        return ack;
      };
      const submitted: Promise<AppendAck>[] = [];
      for (const records of batches) {
        if (isSlowed) await opened.room();
        const ack = submit(records);
        ack.catch(() => undefined);
        submitted.push(ack);
      }
      return await Promise.allSettled(submitted);
    });
    const outcomes = operations.map((operation, i): Outcome => {
      const own = answer.kind === 'value' ? answer.value[i] : undefined;
      if (own === undefined) return outcomeOf(answer as Answer<never>, operation);
      if (own.status === 'fulfilled') return ackOutcome(own.value);
      if (!(own.reason instanceof StoreError)) throw own.reason;
      return refusalOf(own.reason, false);
    });
    outcomes.forEach((outcome, i) => {
      const call = calls[i];
      if (call === undefined) return;
      recorder.end(call, outcome);
      this.#learn(call.operation, outcome);
    });
    situations.count('pipelined append', batches.length);
    const first = outcomes.findIndex(({ kind }) => kind !== 'appended');
    if (first < 0 || answer.kind !== 'value') return;
    if (first < outcomes.length - 1) situations.count('append session poisoned');
    const behind = outcomes.findIndex(({ kind }, i) => i > first && kind === 'appended');
    if (behind >= 0) fail('session-order', `append ${behind} of a session took effect, and ${first} did not: ${JSON.stringify(outcomes)}`);
  }

  delete(stream: string): Promise<Outcome> {
    return this.#call({ kind: 'delete', stream }, async (service) => {
      await service.streams.delete(this.#world.catalog.basinOf(stream), stream);
      return { kind: 'deleted' };
    });
  }

  /** Follows the stream from `from` on for at most `batches` batches: each is recorded as a read. Resolves to where it came. */
  async follow(stream: string, from: number, batches: number, waitSecs: number, endsWithRecords = false): Promise<number> {
    const process = await this.#route();
    const follows = this.#world.recorder.newSession();
    let session: Awaited<ReturnType<Service['openRead']>> | undefined;
    let next = from;
    let isOver = false;
    for (let i = 0; i < batches; i += 1) {
      const at = next;
      const outcome = await this.#callAt(process, { kind: 'read', stream, from: at, follows }, async (service) => {
        const start = { kind: 'seqNum', seqNum: at as SeqNum } as const;
        session ??= await service.openRead(this.#world.catalog.target(stream), { start, clamp: false, waitSecs }, 'session');
        // The client hung up before it was opened.
        if (isOver) session.close();
        const batch = await session.next();
        this.#checkTold(process, batch);
        return this.#readOutcome(stream, batch);
      });
      if (outcome.kind !== 'read') break;
      const last = outcome.records.at(-1);
      if (last === undefined && outcome.tail === undefined) break;
      if (last !== undefined) {
        if (i > 0) this.#world.situations.count('follower woken');
        next = last.seqNum + 1;
        if (endsWithRecords) break;
      }
    }
    isOver = true;
    const open = session;
    if (open !== undefined && process.isUp) process.gate.deliver(() => open.close());
    return next;
  }

  /** Tries to read records of a stream with a cipher, by a key that is not theirs, or without one: none may be given. */
  async pry(stream: string): Promise<void> {
    const { catalog, situations, fail } = this.#world;
    const key = this.#dice.pick(['wrong', 'none'] as const);
    const answer = await this.aside(async (service) => {
      const request = { start: { kind: 'seqNum', seqNum: 0 as SeqNum } as const, clamp: true };
      const session = await service.openRead(catalog.target(stream, key), request, 'unary');
      try {
        return await session.next();
      } finally {
        session.close();
      }
    });
    if (answer.kind === 'value' && answer.value !== 'end' && plainCount(answer.value) > 0) {
      fail('wrong-key', `records of ${stream} were given to who brought ${key === 'none' ? 'no key' : 'another key'}`);
    }
    if (answer.kind !== 'error') return;
    if (answer.error.code === 'decryption_failed') situations.count('wrong key refused');
    if (answer.error.code === 'bad_header') situations.count('missing key refused');
  }

  /** A call that no history holds. */
  async aside<T>(handle: (service: Service, process: Process) => Promise<T>, only?: Process): Promise<Answer<T>> {
    const process = only ?? (await this.#route());
    return await this.#serve(process, 'a call aside', (service) => handle(service, process));
  }

  /** Records as the stream is given them. */
  #kept(stream: string, records: readonly RecordToAppend[]): readonly RecordToAppend[] {
    if (!this.#world.catalog.isSecret(stream)) return records;
    return records.map((record) => (record.kind === 'plain' ? { ...record, isSecret: true } : record));
  }

  #readOutcome(stream: string, batch: ReadBatch | 'end'): Outcome {
    if (batch === 'end') return { kind: 'read', records: [] };
    const { catalog, situations } = this.#world;
    if (catalog.isSecret(stream)) situations.count('encrypted record read', plainCount(batch));
    const { tail } = batch;
    return { kind: 'read', records: recordsOf(batch), ...(tail === undefined ? {} : stated(tail)) };
  }

  /** A tail beside records is told at once, by the lease alone: nobody has one who was replaced, whenever he was asked. */
  #checkTold(process: Process, batch: ReadBatch | 'end'): void {
    if (batch === 'end' || recordsOf(batch).length === 0 || process.epoch >= this.#world.epoch()) return;
    if (batch.tail === undefined) this.#world.situations.count('a zombie gave records, and no tail');
    else this.#world.fail('zombie', `${process.name} told the tail ${batch.tail.seqNum} beside records after it was replaced`);
  }

  async #call(operation: Operation, handle: Handle): Promise<Outcome> {
    return await this.#callAt(await this.#route(), operation, handle);
  }

  /** What a process is asked. When all is well it must answer. */
  async #serve<T>(process: Process, what: string, handle: (service: Service) => Promise<T>): Promise<Answer<T>> {
    const { losses, isWell, fail } = this.#world;
    const wasWell = isWell();
    const answer = await process.serve(this.#dice, losses(), wasWell ? WELL_PATIENCE_MS : this.patienceMs, handle, what);
    if (answer.kind === 'lost' && wasWell && process.isUp && !process.isClosing) {
      fail('hang', `${process.name} did not answer within ${WELL_PATIENCE_MS} ms, when all was well: ${what}`);
    }
    return answer;
  }

  async #callAt(process: Process, operation: Operation, handle: Handle): Promise<Outcome> {
    const { recorder, loop, situations } = this.#world;
    const call = recorder.begin(this.id, operation);
    const { epoch } = process;
    const isZombie = process.isOwner && epoch < this.#world.epoch();
    const { fetches, fail } = this.#world;
    const before = fetches();
    const answer = await this.#serve(process, JSON.stringify(operation), (service) => handle(service, process));
    const outcome = outcomeOf(answer, operation);
    if (outcome.kind === 'read' && fetches() > before) situations.count('client read while segments were fetched');
    if (outcome.kind === 'deleted') this.#world.deleted.add(operation.stream);
    if (isZombie && process.epoch === epoch) {
      if (isStatement(operation, outcome))
        fail('zombie', `${process.name} answered "${outcome.kind}" to a call that came after it was replaced`);
      else situations.count(operation.kind === 'append' ? 'a zombie acknowledged nothing' : 'a zombie stated nothing');
    }
    if (outcome.kind === 'failed' && outcome.code === 'corrupt') situations.count('flipped segment refused');
    if (outcome.kind.endsWith('mismatch')) situations.count('condition refused');
    if (outcome.kind === 'failed' && outcome.code === 'throttled') {
      situations.count(operation.kind === 'append' ? 'append refused for want of room to wait' : 'read refused for want of room');
    }
    recorder.end(call, outcome);
    this.#learn(operation, outcome);
    if (outcome.kind === 'failed' && ELSEWHERE.has(outcome.code)) await loop.sleep(this.#dice.range(5, 150));
    return outcome;
  }

  #acknowledged(stream: string, ack: AppendAck): Outcome {
    this.#world.acknowledged(stream, ack.start.seqNum);
    return ackOutcome(ack);
  }

  #learn(operation: Operation, outcome: Outcome): void {
    const knowledge = this.knowledge(operation.stream);
    if ('tail' in outcome && outcome.tail !== undefined) knowledge.tail = outcome.tail;
    if (outcome.kind === 'fencing_token_mismatch') knowledge.token = outcome.token;
    if (outcome.kind === 'deleted' || outcome.kind === 'created') Object.assign(knowledge, { tail: 0, token: '', trimPoint: 0 });
  }

  /** Mostly somebody who takes himself for the owner; there may be several, and at times nobody. */
  async #route(): Promise<Process> {
    const { cluster, loop } = this.#world;
    if (this.only !== undefined) return this.only;
    for (let tries = 0; ; tries += 1) {
      const processes = cluster.processes;
      const owners = processes.filter((process) => process.isOwner);
      // Word of a new owner spreads; who was replaced is asked seldom, and may go on for a while.
      const newest = owners.reduce((max, { epoch }) => Math.max(max, epoch), 0);
      const known = this.#dice.chance(0.7) ? owners.filter(({ epoch }) => epoch === newest) : owners;
      if (owners.length > 0 && this.#dice.chance(0.95)) return this.#dice.pick(known);
      if (processes.length > 0 && (tries > 20 || this.#dice.chance(0.03))) return this.#dice.pick(processes);
      await loop.sleep(this.#dice.range(20, 150));
    }
  }
}

function ackOutcome({ start, end, tail }: AppendAck): Outcome {
  const stamps = [Number(start.timestamp), Number(end.timestamp)] as const;
  return { kind: 'appended', start: start.seqNum, end: end.seqNum, stamps, ...stated(tail) };
}

function stated({ seqNum, timestamp }: StreamPosition): { readonly tail: number; readonly timestamp: number } {
  return { tail: seqNum, timestamp: Number(timestamp) };
}

function outcomeOf(answer: Answer<Outcome>, operation: Operation): Outcome {
  const isRead = operation.kind === 'read' || operation.kind === 'check-tail';
  switch (answer.kind) {
    case 'value':
      return answer.value;
    case 'not-sent':
      return { kind: 'failed', code: 'not-sent' };
    case 'lost':
      return { kind: isRead ? 'failed' : 'unknown', code: 'lost' };
    default:
      return refusalOf(answer.error, isRead);
  }
}

function refusalOf(error: StoreError, isRead: boolean): Outcome {
  const { detail, code } = error;
  if (error.effect === 'unknown' && !isRead) return { kind: 'unknown', code };
  if (detail?.kind === 'seq_num_mismatch') return { kind: 'seq_num_mismatch', tail: detail.tail };
  if (detail?.kind === 'fencing_token_mismatch') return { kind: 'fencing_token_mismatch', token: detail.token };
  if (detail?.kind === 'range_not_satisfiable') return { kind: 'range_not_satisfiable', ...stated(detail.tail) };
  if (code === 'stream_not_found' || code === 'stream_deletion_pending' || code === 'resource_already_exists') return { kind: code };
  return { kind: 'failed', code };
}
