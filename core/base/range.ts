// Half-open ranges [start, end), the only kind in this code base.

export interface Range<T extends number = number> {
  readonly start: T;
  readonly end: T;
}

/** Whether `at` lies inside `range`. */
export function contains<T extends number>(range: Range<T>, at: T): boolean {
  return at >= range.start && at < range.end;
}
