// What basins and streams must do when calls come one after the other: the specification that histories are held against.
//
// A basin is absent, active, or deleting. A stream is absent, live, sealed (it takes nothing more, and its name does not say so yet), or
// marked. The background moves on by itself, whenever it likes: streams of a basin that is deleting are sealed, then marked; a marked
// one becomes absent; a deleting basin becomes absent with all that is in it. A changed configuration is on record first, and the
// owner, by which appends go, may follow at any time from then on; it does at the latest when the change is answered.

export interface Stream {
  /** Whether records must carry timestamps: as it was made, and behind each change. */
  readonly strict: readonly boolean[];
  /** The change by which its owner goes. */
  readonly owner: number;
  /** Changes that are on record and not answered, by their calls. */
  readonly open: Readonly<Record<string, number>>;
  readonly key: string | undefined;
  readonly phase: 'live' | 'sealed' | 'marked';
  readonly bodies: readonly string[];
}

export interface Basin {
  readonly onAppend: boolean;
  readonly onRead: boolean;
  readonly strict: boolean | undefined;
  readonly key: string | undefined;
  readonly isDeleting: boolean;
  /** The process that owns its streams has answered that it is deleted: records are out of reach. (A23) */
  readonly isClosed: boolean;
  readonly streams: Readonly<Record<string, Stream>>;
}

export type State = Readonly<Record<string, Basin>>;

/** One thing that a call did or saw at one point of its time: the states that it may lead to; none: it cannot be here. */
export type Step = (state: State) => readonly State[];

/** A step on a basin, undefined where there is none; what it gives takes the basin's place. */
export function onBasin(name: string, act: (basin: Basin | undefined) => readonly (Basin | undefined)[]): Step {
  return (state) => {
    const basin = state[name];
    const before = basin?.isDeleting === true ? [basin, undefined] : [basin];
    return before.flatMap((one) => act(one).map((after) => put(state, name, after)));
  };
}

/** A step on a stream and its basin. */
export function onStream(
  basinName: string,
  name: string,
  act: (stream: Stream | undefined, basin: Basin | undefined) => readonly (Stream | undefined)[],
): Step {
  return onBasin(basinName, (basin) => {
    if (basin === undefined) return act(undefined, undefined).flatMap((after) => (after === undefined ? [undefined] : []));
    return movesOf(basin.streams[name], basin.isDeleting).flatMap((stream) =>
      act(stream, basin).map((after) => ({ ...basin, streams: put(basin.streams, name, after) })),
    );
  });
}

/** A step that sees all streams of a basin at once. */
export function onStreams(name: string, sees: (streams: Readonly<Record<string, Stream>>) => boolean): Step {
  return onBasin(name, (basin) => {
    if (basin === undefined) return sees({}) ? [undefined] : [];
    let all: Readonly<Record<string, Stream>>[] = [{}];
    for (const [stream, now] of Object.entries(basin.streams)) {
      all = all.flatMap((others) => movesOf(now, basin.isDeleting).map((then) => put(others, stream, then)));
    }
    return all.filter(sees).map((streams) => ({ ...basin, streams }));
  });
}

/** A step that sees all basins at once. */
export function onBasins(sees: (state: State) => boolean): Step {
  return (state) => {
    let all: State[] = [{}];
    for (const [name, basin] of Object.entries(state)) {
      all = all.flatMap((others) => (basin.isDeleting ? [put(others, name, basin), others] : [put(others, name, basin)]));
    }
    return all.filter(sees);
  };
}

/** What a stream may have become by itself, as it is first. */
function movesOf(stream: Stream | undefined, isDeleting: boolean): readonly (Stream | undefined)[] {
  if (stream === undefined) return [undefined];
  const owners = stream.strict.map((_, version) => version).filter((version) => version >= stream.owner);
  const phases = isDeleting || stream.phase === 'marked' ? (['live', 'sealed', 'marked'] as const) : ([stream.phase] as const);
  const later = phases.slice(phases.indexOf(stream.phase as never));
  const moved = later.flatMap((phase) => owners.map((owner): Stream => ({ ...stream, phase, owner })));
  return later.at(-1) === 'marked' ? [...moved, undefined] : moved;
}

function put<T>(all: Readonly<Record<string, T>>, name: string, value: T | undefined): Readonly<Record<string, T>> {
  const { [name]: _, ...others } = all;
  if (value === undefined) return others;
  // In the order of names, so that equal states are equal as text.
  return Object.fromEntries(Object.entries({ ...others, [name]: value }).sort(([a], [b]) => (a < b ? -1 : 1)));
}
