// A tail that was known before a call began still holds when it ends: nothing that was acknowledged is lost, and no answer is older
// than one before it. The search finds these too; here both calls are named.

import type { Call } from '../history.ts';
import { impliedTail, statedTail } from './stated-tail.ts';
import { endOf, type StreamCalls } from './stream-calls.ts';
import type { Trims } from './trims.ts';
import type { Violation } from './violation.ts';

/** What a call says of the tail: it was `exactly` this at some point, or `atLeast` this when it ended. */
interface Statement {
  readonly call: Call;
  readonly exactly: number | undefined;
  readonly atLeast: number | undefined;
  /** It does not name the tail: where the rest is trimmed, it may have been higher. */
  readonly isImplied: boolean;
}

export function checkStaleness(stream: StreamCalls, trims: Trims): Omit<Violation, 'stream'>[] {
  if (!stream.isOneStream) return [];
  const statements = statementsOf(stream);
  const byEnd = statements.toSorted((a, b) => endOf(a.call) - endOf(b.call));
  const violations: Omit<Violation, 'stream'>[] = [];
  let newest: Statement | undefined;
  let passed = 0;
  for (const { call, exactly, isImplied } of statements) {
    for (let next = byEnd[passed]; next !== undefined && endOf(next.call) < call.began; next = byEnd[passed]) {
      if ((next.atLeast ?? 0) > (newest?.atLeast ?? 0)) newest = next;
      passed += 1;
    }
    const known = newest?.atLeast ?? 0;
    if (newest === undefined || exactly === undefined || exactly >= known) continue;
    if (isImplied && trims.askedBy(call).upTo >= known) continue;
    const isRead = call.outcome?.kind === 'read' && call.operation.kind === 'read' && call.operation.follows === undefined;
    const isLost = newest.call.outcome?.kind === 'appended' && isRead;
    const before = isLost ? `records up to ${known} were acknowledged` : `the tail was known to be ${known}`;
    const message = `${before}, and a later ${call.operation.kind} found it at ${exactly}`;
    violations.push({ check: isLost ? 'lost-append' : 'stale-answer', message, calls: [newest.call, call] });
  }
  return violations;
}

/** By the beginning of their calls. */
function statementsOf(stream: StreamCalls): Statement[] {
  const reads = new Map(stream.reads.map((read) => [read.call, read]));
  const statements: Statement[] = [];
  for (const call of stream.calls) {
    const read = reads.get(call);
    const stated = statedTail(call);
    if (call.outcome?.kind === 'appended') {
      statements.push({ call, exactly: call.outcome.start, atLeast: stated, isImplied: false });
    } else if (read !== undefined) {
      const tail = impliedTail(read);
      const last = read.outcome.records.length === 0 ? undefined : read.end;
      statements.push({ call, exactly: tail, atLeast: tail ?? last, isImplied: stated === undefined });
    } else if (stated !== undefined) {
      statements.push({ call, exactly: stated, atLeast: stated, isImplied: false });
    }
  }
  return statements;
}
