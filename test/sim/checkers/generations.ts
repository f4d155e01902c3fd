// Which calls on a name were on the same stream, as far as the records that they share tell.
//
// A name that was never deleted is one stream. Else calls are of one stream when a read gave records of both; two groups may still be
// one stream, so that what is checked within a group is sound, and the search sees the rest.

import type { Call } from '../history.ts';
import type { StreamCalls } from './stream-calls.ts';

/** The group of a call; undefined for a call that shows no record of its stream. */
export type GroupOf = (call: Call) => number | undefined;

export function groupsOf(stream: StreamCalls): GroupOf {
  if (stream.isOneStream) return () => 0;
  const parents = new Map<Call, Call>();
  const root = (call: Call): Call => {
    let at = call;
    for (let up = parents.get(at); up !== undefined && up !== at; up = parents.get(at)) at = up;
    return at;
  };
  for (const { call } of stream.appends) parents.set(call, call);
  for (const { call, outcome } of stream.reads) {
    parents.set(call, call);
    for (const { hash } of outcome.records) {
      const senders = stream.senders.get(hash) ?? [];
      const only = senders.length === 1 ? senders[0] : undefined;
      if (only !== undefined) parents.set(root(only.call), root(call));
    }
  }
  const numbers = new Map<Call, number>();
  return (call) => {
    if (!parents.has(call)) return undefined;
    const of = root(call);
    const number = numbers.get(of) ?? numbers.size;
    numbers.set(of, number);
    return number;
  };
}
