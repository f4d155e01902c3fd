// JSON whose whole numbers of 64 bits come and go without loss: as a bigint where a number would round them.

export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** What V8 has, and TypeScript's ES2024 does not know yet. */
type SourceReviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** @throws SyntaxError */
export function parseJson(text: string): unknown {
  const revive: SourceReviver = (_, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context?.source ?? 0)
      : value;
  return JSON.parse(text, revive);
}

export function printJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? rawJSON(String(part)) : part));
}
