// Where a test or the simulator bends a store in memory: before a call, or after it.

/** Both may take as long as they like (a slow store) and may throw. */
export interface Faults<Call> {
  /** Runs before the call: what it throws, the caller sees, and nothing was applied. */
  before?(call: Call): Promise<void> | void;
  /** Runs after the call: what it throws, the caller sees, although the call was applied. */
  after?(call: Call): Promise<void> | void;
}

/** Applies a call in one step, between the two hooks. */
export async function withFaults<Call, T>(faults: Faults<Call> | undefined, call: Call, apply: () => T): Promise<T> {
  if (faults?.before !== undefined) await faults.before(call);
  const result = apply();
  if (faults?.after !== undefined) await faults.after(call);
  return result;
}
