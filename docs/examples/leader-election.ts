// Leader election over one stream, with nothing but appends: at most one process writes to it with effect, whatever clocks do.
//
// docs/leader-election.md says how it works, what it guarantees and what it does not; elect.ts beside this uses it, and
// test/e2e/leader-election.test.ts kills and stops such processes. Copy it: it needs the SDK and nothing else.
//
//   Safety    A claim is a fence with a new token, at the very tail that the candidate knows (match_seq_num). Whatever a leader
//             writes carries its token, so from the next claim on everything of an older leader is refused.
//   Liveness  A leader shows that it lives by appending. Who sees nothing new for a lease, on its own clock, claims.

import { randomUUID } from 'node:crypto';
import {
  type AppendAck,
  AppendInput,
  AppendRecord,
  FencingTokenMismatchError,
  type S2Stream,
  SeqNumMismatchError,
} from '@s2-dev/streamstore';

/** A leader renews that often in a lease, so that one late renewal does no harm. */
const RENEWALS_PER_LEASE = 3;
/** A follower waits longer than a leader believes: clocks may run at rates that differ by less than this. */
const CLOCK_RATE_MARGIN = 0.1;
const RETRY_DELAY_MS = 100;
const POLL_MS = 20;
/** Marks what belongs to the election, so that readers of the work can leave it out. */
export const ELECTION_HEADER = 'election';

export interface Election {
  /** For this election alone, and only leaders append to it. Its client should have `appendRetryPolicy: 'noSideEffects'`. */
  readonly stream: S2Stream;
  /** Of this process, for people. */
  readonly name: string;
  /** How long a leader may be silent. Every candidate should have the same. */
  readonly leaseMs: number;
  /** Ends the candidacy, and resigns. */
  readonly signal: AbortSignal;
  /** What a leader does. The term is over when it returns, and then, if it still leads, it resigns. */
  lead(term: Term): Promise<void>;
}

/** Leads whenever it is elected, until `signal`. @throws what `lead` throws, but for TermOver and a server that is away */
export async function campaign(election: Election): Promise<void> {
  while (!election.signal.aborted) {
    try {
      const tail = await vacancy(election);
      if (tail === undefined) return;
      const term = await claim(election, tail);
      if (term === undefined) continue;
      try {
        await election.lead(term);
      } finally {
        await term.close();
      }
    } catch (error) {
      if (error instanceof TermOver || isPassing(error)) await pause(RETRY_DELAY_MS);
      else throw error;
    }
  }
}

/** Thrown by `Term.append` where it is known that this process leads no more: nothing was written. */
export class TermOver extends Error {
  override readonly name = 'TermOver';
}

export class Term {
  /** Sequence number of the claim: larger in every later term. Other systems can use it to refuse what comes from an older one. */
  readonly number: number;
  /** Goes with every append, also in sessions. */
  readonly token: string;
  /** Aborted once this process should no longer believe that it leads; it may lead no more a little before. */
  readonly signal: AbortSignal;
  readonly #election: Election;
  readonly #over = new AbortController();
  #expiry: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;

  constructor(election: Election, number: number, token: string, claimedAt: number) {
    this.#election = election;
    this.number = number;
    this.token = token;
    this.signal = AbortSignal.any([this.#over.signal, election.signal]);
    this.#alive(claimedAt);
    this.#renewLater();
  }

  /** @throws TermOver; or what the SDK throws, after which the records may be there: read to see */
  async append(records: readonly AppendRecord[]): Promise<AppendAck> {
    if (this.#over.signal.aborted) throw new TermOver(`term ${this.number} is over: ${this.#over.signal.reason}`);
    const sentAt = performance.now();
    try {
      const ack = await this.#election.stream.append(AppendInput.create(records, { fencingToken: this.token }));
      this.#alive(sentAt);
      return ack;
    } catch (error) {
      if (!(error instanceof FencingTokenMismatchError)) throw error;
      this.#end('another process leads');
      throw new TermOver(`term ${this.number} is over: another process leads`);
    }
  }

  /** Ends the term, and frees the stream at once where it can; else the lease runs out. */
  async close(): Promise<void> {
    const isLed = !this.#over.signal.aborted;
    this.#end('it was given up');
    if (!isLed) return;
    const resignation = AppendInput.create([AppendRecord.fence('')], { fencingToken: this.token });
    await this.#election.stream.append(resignation).catch(() => undefined);
  }

  /** A lease counts from before its renewal was sent: nobody can have seen it earlier. */
  #alive(sentAt: number): void {
    if (this.#over.signal.aborted) return;
    clearTimeout(this.#expiry);
    const leftMs = Math.max(0, sentAt + this.#election.leaseMs - performance.now());
    this.#expiry = setTimeout(() => this.#end('the lease ran out'), leftMs);
  }

  #renewLater(): void {
    this.#renewal = setTimeout(async () => {
      // Whether it succeeded, the expiry tells.
      await this.append([note(this.#election, 'renewal')]).catch(() => undefined);
      if (!this.#over.signal.aborted) this.#renewLater();
    }, this.#election.leaseMs / RENEWALS_PER_LEASE);
  }

  #end(reason: string): void {
    clearTimeout(this.#expiry);
    clearTimeout(this.#renewal);
    this.#over.abort(reason);
  }
}

/** Waits until nobody seems to lead. @returns the tail at which to claim; undefined when the candidacy is over */
async function vacancy({ stream, leaseMs, signal }: Election): Promise<number | undefined> {
  let { seqNum: tail } = (await stream.checkTail()).tail;
  let isVacant = tail === 0 || (await isResignedAt(stream, tail - 1));
  let waitMs = waitFor(leaseMs);
  let seenAt = performance.now();
  let failure: { readonly error: unknown } | undefined;
  const reader = (await stream.readSession({ start: { from: { seqNum: tail } } })).getReader();
  const following = (async () => {
    for (let record = (await reader.read()).value; record !== undefined; record = (await reader.read()).value) {
      tail = record.seqNum + 1;
      seenAt = performance.now();
      isVacant = isResignation(record);
      waitMs = waitFor(statedLease(record) ?? leaseMs);
    }
  })().catch((error: unknown) => {
    failure = { error };
  });
  // Silence may also mean that it is this process that heard nothing: then its claim comes too late, and is refused.
  while (!isVacant && !signal.aborted && failure === undefined && performance.now() - seenAt < waitMs) await pause(POLL_MS);
  await reader.cancel().catch(() => undefined);
  await following;
  if (failure !== undefined) throw failure.error;
  return signal.aborted ? undefined : tail;
}

async function isResignedAt(stream: S2Stream, seqNum: number): Promise<boolean> {
  const { records } = await stream.read({ start: { from: { seqNum } }, stop: { limits: { count: 1 } } });
  return records[0] !== undefined && isResignation(records[0]);
}

/** @returns undefined when another one was faster, or the leader lives after all */
async function claim(election: Election, tail: number): Promise<Term | undefined> {
  const token = randomUUID();
  const input = AppendInput.create([AppendRecord.fence(token), note(election, 'claim')], { matchSeqNum: tail });
  const sentAt = performance.now();
  while (!election.signal.aborted) {
    try {
      await election.stream.append(input);
      return new Term(election, tail, token, sentAt);
    } catch (error) {
      if (error instanceof SeqNumMismatchError) {
        // It may be this very claim that moved the tail, with its answer lost.
        return (await isOurs(election.stream, tail, token)) ? new Term(election, tail, token, sentAt) : undefined;
      }
      if (!isPassing(error)) throw error;
      // The same claim again: its place and its token tell whether one of them came through.
      await pause(RETRY_DELAY_MS);
    }
  }
  return undefined;
}

async function isOurs(stream: S2Stream, seqNum: number, token: string): Promise<boolean> {
  const { records } = await stream.read({ start: { from: { seqNum } }, stop: { limits: { count: 1 } } });
  return records[0]?.seqNum === seqNum && records[0].body === token && isFence(records[0]);
}

interface ReadHeaders {
  readonly body: string;
  readonly headers: readonly (readonly [string, string])[];
}

function isFence({ headers }: ReadHeaders): boolean {
  return headers.length === 1 && headers[0]?.[0] === '' && headers[0][1] === 'fence';
}

function isResignation(record: ReadHeaders): boolean {
  return isFence(record) && record.body === '';
}

function statedLease({ headers }: ReadHeaders): number | undefined {
  const stated = headers.find(([name]) => name === 'lease-ms')?.[1];
  return stated === undefined ? undefined : Number(stated);
}

function note({ name, leaseMs }: Election, kind: 'claim' | 'renewal'): AppendRecord {
  return AppendRecord.string({
    body: name,
    headers: [
      [ELECTION_HEADER, kind],
      ['lease-ms', String(leaseMs)],
    ],
  });
}

function waitFor(leaseMs: number): number {
  return leaseMs * (1 + CLOCK_RATE_MARGIN);
}

/** A server that is away, or does not know; not one that refuses. */
function isPassing(error: unknown): boolean {
  const status = error instanceof Error && 'status' in error ? Number(error.status) : 0;
  return status === 408 || status === 429 || status >= 500;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
