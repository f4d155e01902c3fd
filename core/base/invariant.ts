// What must be true in a correct program. Always on: a store that goes on after a broken invariant loses data.

/** Thrown when the program itself is wrong. Only a process edge catches it; nothing else may. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Asserts what must be true. `message` starts with the number of the rule it guards, as in docs/protocol.md. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** The end of a switch over a closed union: a new member does not compile until it has a case. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}
