// Arguments that are more than text: counts, durations, instants. Each says what it must be.

import { InvalidArgumentError } from 'commander';

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const DURATION = /^(\d{1,12})(s|m|h|d|w)?$/;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** A whole number that JavaScript holds exactly. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('It must be a whole number from 0 to 2^53 - 1.');
  return value;
}

export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be a whole number from 1 up.');
  return value;
}

/** A u64 as the wire has it; larger than 2^53 comes as it is written. */
export function u64(text: string): string {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > U64_MAX) throw new InvalidArgumentError('It must be a whole number from 0 to 2^64 - 1.');
  return text;
}

/** Seconds; a number alone counts seconds. */
export function seconds(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be a duration such as 90s, 15m, 12h, 7d or 2w.');
  return Number(match[1]) * (UNIT_SECONDS[match[2] ?? 's'] ?? 1);
}

/** A timestamp of records: a u64 in the stream's own unit, or an instant, which means milliseconds. */
export function timestamp(text: string): string {
  if (/^\d+$/.test(text)) return u64(text);
  return String(instantMs(text, 'It must be a whole number, or an instant such as 2026-01-31T12:00:00Z.'));
}

/** An instant, or a duration from now. @returns milliseconds since 1970 */
export function later(text: string): number {
  if (DURATION.test(text)) return Date.now() + seconds(text) * 1_000;
  return instantMs(text, 'It must be a duration such as 30d, or an instant such as 2027-01-31T12:00:00Z.');
}

/** An instant, or how long ago. @returns milliseconds since 1970 */
export function earlier(text: string): number {
  if (DURATION.test(text)) return Date.now() - seconds(text) * 1_000;
  return instantMs(text, 'It must be a duration such as 1h, or an instant such as 2026-01-31T12:00:00Z.');
}

function instantMs(text: string, expected: string): number {
  const value = /^\d{4}-\d{2}-\d{2}([T ].*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(value) || value < 0) throw new InvalidArgumentError(expected);
  return value;
}

/** Seconds as a person writes them: `7d`. */
export function durationText(value: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    const size = UNIT_SECONDS[unit] ?? 1;
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  }
  return `${value}s`;
}
