// Times as text, RFC 3339 in UTC with milliseconds.

/** @param ms milliseconds since 1970, from the Clock port. */
export function rfc3339(ms: number): string {
  // biome-ignore lint/style/noRestrictedGlobals: formats a time that is given, and reads no clock.
  return new Date(ms).toISOString();
}

/** Milliseconds since 1970; NaN for what is no such text. */
export function fromRfc3339(text: string): number {
  // biome-ignore lint/style/noRestrictedGlobals: reads a time from text, and no clock.
  return Date.parse(text);
}
