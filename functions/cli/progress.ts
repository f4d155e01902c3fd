// How far a long append has come, on standard error, four times a second; only where a person sees it.

import { count, mib } from './printable.ts';

const PERIOD_MS = 250;
const CLEAR_LINE = '\r\x1b[K';

export interface Done {
  readonly records: number;
  readonly bytes: number;
}

/** @param read what is done now. @returns what ends the display and clears its line */
export function showProgress(read: () => Done): () => void {
  if (!process.stderr.isTTY) return () => undefined;
  const startedAt = performance.now();
  const timer = setInterval(() => process.stderr.write(`${CLEAR_LINE}${progressText(read(), performance.now() - startedAt)}`), PERIOD_MS);
  return () => {
    clearInterval(timer);
    process.stderr.write(CLEAR_LINE);
  };
}

/** `12,000 records, 11.4 MiB; 23,000 records/s, 22.0 MiB/s` */
export function progressText({ records, bytes }: Done, elapsedMs: number): string {
  const seconds = Math.max(elapsedMs, 1) / 1_000;
  return `${count(records)} records, ${mib(bytes)}; ${count(records / seconds)} records/s, ${mib(bytes / seconds)}/s`;
}
