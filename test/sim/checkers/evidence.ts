// What calls have shown of one stream beside its tail, its bodies and its token: what is trimmed, and when the last record was stamped.
//
// Neither is a matter of one moment of the call. From the end of a call that shows that records are trimmed, no call that begins
// later may be given one of them. Timestamps do not go back. Both hold on one stream only, and of a name that was deleted only an
// order of its calls says what was on one stream: so the search carries this along with the state, and it goes with the stream.

/** From `at` on nobody is given a record below `upTo`. */
export interface KnownTrim {
  readonly upTo: number;
  readonly at: number;
}

/** What a look at the tail said of the last record. */
export interface Stamp {
  readonly tail: number;
  readonly timestamp: number;
}

export interface Evidence {
  /** Equal for equal evidence, in whatever order it came. */
  readonly key: string;
  /** None says less than another one; by `at`. */
  readonly trims: readonly KnownTrim[];
  readonly stamp: Stamp | undefined;
}

export const NO_EVIDENCE: Evidence = evidence([], undefined);

export function withTrims(before: Evidence, more: readonly KnownTrim[]): Evidence {
  const isNew = more.some((trim) => !before.trims.some((known) => saysAsMuch(known, trim)));
  if (!isNew) return before;
  const sorted = [...before.trims, ...more].sort((a, b) => a.at - b.at || b.upTo - a.upTo);
  let most = 0;
  const trims = sorted.filter(({ upTo }) => {
    if (upTo <= most) return false;
    most = upTo;
    return true;
  });
  return evidence(trims, before.stamp);
}

/** The tail of a stream only grows: of two looks the one at the higher tail says more. */
export function withStamp(before: Evidence, stamp: Stamp): Evidence {
  if (before.stamp !== undefined && before.stamp.tail >= stamp.tail) return before;
  return evidence(before.trims, stamp);
}

/** The trim that a call which began at `opened` should have known when it was given the record; undefined when there is none. */
export function trimBefore({ trims }: Evidence, opened: number, seqNum: number): KnownTrim | undefined {
  return trims.find(({ upTo, at }) => at < opened && upTo > seqNum);
}

/** Why the last record cannot have that timestamp; undefined when it can. */
export function stampAgainst({ stamp }: Evidence, { tail, timestamp }: Stamp): string | undefined {
  if (stamp === undefined) return undefined;
  const isWrong = stamp.tail === tail ? stamp.timestamp !== timestamp : stamp.timestamp > timestamp;
  return isWrong ? `the timestamp at the tail ${stamp.tail} was ${stamp.timestamp}` : undefined;
}

function saysAsMuch(known: KnownTrim, trim: KnownTrim): boolean {
  return known.upTo >= trim.upTo && known.at <= trim.at;
}

function evidence(trims: readonly KnownTrim[], stamp: Stamp | undefined): Evidence {
  const key = `${trims.map(({ upTo, at }) => `${upTo}@${at}`).join(' ')}#${stamp?.tail}@${stamp?.timestamp}`;
  return { key, trims, stamp };
}
