// What each call did and saw, as steps of the model, in their order. What a call need not have done is optional.

import type { BasinSettings, Call, Operation, Outcome, StreamOperation } from './history.ts';
import { type Basin, onBasin, onBasins, onStream, onStreams, type Step, type Stream } from './model.ts';

export interface CallStep {
  readonly step: Step;
  readonly isOptional: boolean;
}

const required = (step: Step): CallStep => ({ step, isOptional: false });
const optional = (step: Step): CallStep => ({ step, isOptional: true });
/** Nothing can explain it. */
type On = (act: Parameters<typeof onStream>[2]) => Step;

const never = required(() => []);
const sees = (is: boolean): readonly undefined[] => (is ? [undefined] : []);
const if_ = <T>(is: boolean, ...after: readonly T[]): readonly T[] => (is ? after : []);

type In<Kind extends Operation['kind']> = Extract<Operation, { readonly kind: Kind }>;

export function stepsOf({ operation, outcome, client, began }: Call): readonly CallStep[] {
  switch (operation.kind) {
    case 'create basin':
    case 'ensure basin':
    case 'change basin':
    case 'get basin':
      return [required(onBasin(operation.basin, (basin) => basinAfter(operation, outcome, basin)))];
    case 'delete basin': {
      const onRecord = required(onBasin(operation.basin, (basin) => basinAfter(operation, outcome, basin)));
      return outcome.kind === 'done' && operation.byOwner ? [onRecord, required(onBasin(operation.basin, closed))] : [onRecord];
    }
    case 'list basins':
      return outcome.kind === 'names'
        ? [
            required(
              onBasins((state) =>
                isSame(
                  outcome.names,
                  Object.entries(state).map(([name, { isDeleting }]) => shown(name, isDeleting)),
                ),
              ),
            ),
          ]
        : [never];
    case 'list':
      return listed(operation, outcome);
    default:
      return streamSteps(`${client}/${began}`, operation, outcome);
  }
}

function shown(name: string, isDeleting: boolean): string {
  return isDeleting ? `(${name})` : name;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function basinAfter(
  operation: In<'create basin' | 'ensure basin' | 'change basin' | 'get basin' | 'delete basin'>,
  outcome: Outcome,
  basin: Basin | undefined,
): readonly (Basin | undefined)[] {
  if (outcome.kind === 'refused') return refusedBasin(operation, outcome.code, basin);
  const { kind } = operation;
  if (kind === 'delete basin') return if_(basin !== undefined, basin && { ...basin, isDeleting: true });
  if (kind === 'get basin') {
    return if_(outcome.kind === 'basin' && basin?.isDeleting === outcome.isDeleting && hasSettings(basin, outcome.settings), basin);
  }
  const { settings } = operation;
  if (outcome.kind === 'created') {
    const made = { ...(settings as BasinSettings), key: keyOf(operation), isDeleting: false, isClosed: false, streams: {} };
    return if_(basin === undefined && kind !== 'change basin', made);
  }
  if (basin === undefined || basin.isDeleting) return [];
  if (kind === 'create basin')
    return if_(outcome.kind === 'noop' && operation.token !== undefined && basin.key === keyOf(operation), basin);
  if (outcome.kind === 'noop') return if_(kind === 'ensure basin' && hasSettings(basin, settings), basin);
  return if_(kind === 'change basin' || !hasSettings(basin, settings), { ...basin, ...settings });
}

function closed(basin: Basin | undefined): readonly (Basin | undefined)[] {
  return [basin?.isDeleting === true ? { ...basin, isClosed: true } : basin];
}

function refusedBasin({ kind }: Operation, code: string, basin: Basin | undefined): readonly (Basin | undefined)[] {
  switch (code) {
    case 'basin_not_found':
      return if_(basin === undefined && kind !== 'create basin' && kind !== 'ensure basin', basin);
    case 'basin_deletion_pending':
      return if_(basin?.isDeleting === true && kind !== 'delete basin' && kind !== 'get basin', basin);
    case 'resource_already_exists':
      return if_(basin?.isDeleting === false && kind === 'create basin', basin);
    default:
      return [];
  }
}

function keyOf({ token, ...rest }: { readonly token?: string | undefined } & object): string | undefined {
  const { strict, settings } = rest as { readonly strict?: unknown; readonly settings?: unknown };
  return token === undefined ? undefined : `${token} ${JSON.stringify(settings ?? strict ?? null)}`;
}

function hasSettings(basin: Basin, { onAppend, onRead, strict }: Partial<BasinSettings>): boolean {
  return basin.onAppend === onAppend && basin.onRead === onRead && basin.strict === strict;
}

function listed({ basin }: In<'list'>, outcome: Outcome): readonly CallStep[] {
  if (outcome.kind === 'refused') {
    return outcome.code === 'basin_not_found' ? [required(onBasin(basin, (now) => sees(now === undefined)))] : [never];
  }
  if (outcome.kind !== 'names') return [never];
  const all = required(
    onStreams(basin, (streams) =>
      isSame(
        outcome.names,
        Object.entries(streams).map(([name, { phase }]) => shown(name, phase === 'marked')),
      ),
    ),
  );
  // Where there are none, the basin was looked for behind that.
  return outcome.names.length > 0 ? [all] : [all, required(onBasin(basin, (now) => if_(now !== undefined, now)))];
}

function streamSteps(id: string, operation: StreamOperation, outcome: Outcome): readonly CallStep[] {
  const { kind, basin, stream } = operation;
  const on: On = (act) => onStream(basin, stream, act);
  const before = kind === 'append' || kind === 'read' || kind === 'tail' ? [optional(on((now, its) => autoCreated(kind, now, its)))] : [];
  if (outcome.kind === 'refused') {
    // A session stays with the stream that it was opened for, which may be one of before.
    if (kind === 'append' && operation.inSession && /^stream_|^basin_deletion_pending$/.test(outcome.code)) return before;
    return [...before, ...refusedStream(operation, outcome.code, on)];
  }
  if (kind === 'delete') {
    return [
      required(on((now) => if_(now !== undefined, now && { ...now, phase: now.phase === 'live' ? 'sealed' : now.phase }))),
      required(on((now) => if_(now !== undefined && now.phase !== 'live', now && { ...now, phase: 'marked' as const }))),
    ];
  }
  if (kind === 'create') return [required(on((now, its) => created(operation, outcome, now, its)))];
  if (kind === 'ensure' && outcome.kind === 'created')
    return [required(on((now, its) => if_(now === undefined && isActive(its), fresh(operation.strict, undefined))))];
  if (kind === 'ensure' || kind === 'change') return changed(id, operation, outcome, on);
  const seen = on((now, its) => {
    // A name is looked up anew each time; who has records at hand learns of a deletion that another process answered by and by.
    const isOpen = kind === 'get' ? isActive(its) : its?.isClosed === false;
    return if_(now !== undefined && isOpen && sight(operation, outcome, now), now && appendedTo(operation, now));
  });
  return [...before, required(seen)];
}

function isActive(basin: Basin | undefined): boolean {
  return basin?.isDeleting === false;
}

function fresh(strict: boolean, key: string | undefined): Stream {
  return { strict: [strict], owner: 0, key, open: {}, phase: 'live', bodies: [] };
}

function autoCreated(kind: 'append' | 'read' | 'tail', stream: Stream | undefined, basin: Basin | undefined): readonly Stream[] {
  const isAllowed = isActive(basin) && (kind === 'append' ? basin?.onAppend : basin?.onRead) === true;
  return if_(stream === undefined && isAllowed, fresh(basin?.strict ?? false, undefined));
}

function created(
  operation: In<'create'>,
  outcome: Outcome,
  stream: Stream | undefined,
  basin: Basin | undefined,
): readonly (Stream | undefined)[] {
  if (outcome.kind === 'created') {
    return if_(stream === undefined && isActive(basin), fresh(operation.strict ?? basin?.strict ?? false, keyOf(operation)));
  }
  const isOwn = operation.token !== undefined && stream?.key === keyOf(operation);
  return if_(outcome.kind === 'noop' && isOwn && stream?.phase !== 'marked', stream);
}

/** On record, then by the owner: of this change, or of a later one. */
function changed(id: string, { strict }: In<'ensure' | 'change'>, outcome: Outcome, on: On): readonly CallStep[] {
  const onRecord = on((now) => {
    if (now === undefined || now.phase === 'marked') return [];
    const isEqual = now.strict.at(-1) === strict;
    if (outcome.kind === 'noop' && !isEqual) return [];
    if (outcome.kind === 'updated' && isEqual) return [];
    if (outcome.kind === 'stream' && outcome.strict !== strict) return [];
    const versions = isEqual ? now.strict : [...now.strict, strict];
    return [{ ...now, strict: versions, open: { ...now.open, [id]: versions.length - 1 } }];
  });
  const byOwner = on((now) => {
    const { [id]: version, ...open } = now?.open ?? {};
    return if_(now?.phase === 'live' && version !== undefined && now.owner >= version, now && { ...now, open });
  });
  return [required(onRecord), required(byOwner)];
}

function refusedStream(operation: StreamOperation, code: string, on: On): readonly CallStep[] {
  const { kind, basin } = operation;
  const isMade = kind === 'create' || kind === 'ensure';
  const isAbsent = required(on((now) => sees(now === undefined)));
  switch (code) {
    case 'stream_not_found':
      // What is there of the basin is looked for behind that.
      return isMade ? [never] : [isAbsent, required(onBasin(basin, (now) => if_(isActive(now), now)))];
    case 'basin_not_found':
      return [required(onBasin(basin, (now) => sees(now === undefined)))];
    case 'basin_deletion_pending':
      return [...(kind === 'delete' ? [isAbsent] : []), required(onBasin(basin, (now) => if_(now?.isDeleting === true, now)))];
    case 'resource_already_exists':
      return [required(on((now) => if_(kind === 'create' && now !== undefined && now.phase !== 'marked', now)))];
    case 'stream_deletion_pending':
      return pending(operation, on);
    case 'invalid':
      return [required(on((now) => if_(kind === 'append' && now?.phase === 'live' && now.strict[now.owner] === true, now)))];
    default:
      return [never];
  }
}

/** Names say so once they are marked, records from the seal on; a change may have been on record before it met the seal. */
function pending(operation: StreamOperation, on: On): readonly CallStep[] {
  const { kind } = operation;
  if (kind === 'delete') return [never];
  const isByName = kind === 'create' || kind === 'get';
  const last = required(on((now) => if_(now?.phase === 'marked' || (!isByName && now?.phase === 'sealed'), now)));
  if (kind !== 'ensure' && kind !== 'change') return [last];
  const { strict } = operation;
  return [
    optional(
      on((now) =>
        if_(
          now !== undefined && now.phase !== 'marked' && now.strict.at(-1) !== strict,
          now && { ...now, strict: [...now.strict, strict] },
        ),
      ),
    ),
    last,
  ];
}

function sight(operation: StreamOperation, outcome: Outcome, stream: Stream): boolean {
  switch (operation.kind) {
    case 'get':
      return outcome.kind === 'stream' && stream.phase !== 'marked' && stream.strict.at(-1) === outcome.strict;
    case 'append':
      return (
        outcome.kind === 'appended' &&
        stream.phase === 'live' &&
        stream.strict[stream.owner] === false &&
        outcome.at === stream.bodies.length
      );
    case 'read':
      return outcome.kind === 'bodies' && stream.phase === 'live' && isSame(outcome.bodies, stream.bodies);
    case 'tail':
      return outcome.kind === 'tail' && stream.phase === 'live' && outcome.tail === stream.bodies.length;
    default:
      return false;
  }
}

function appendedTo(operation: StreamOperation, stream: Stream): Stream {
  return operation.kind === 'append' ? { ...stream, bodies: [...stream.bodies, operation.body] } : stream;
}
