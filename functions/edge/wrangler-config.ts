// edge/wrangler.jsonc, as those need it who run or deploy the Worker: one place says what the Worker is told by default.

import { readFile } from 'node:fs/promises';
import path from 'node:path';

export const EDGE_DIR = path.join(import.meta.dirname, '../../edge');

export interface WranglerConfig {
  readonly name: string;
  readonly compatibility_date: string;
  readonly compatibility_flags: readonly string[];
  readonly vars: Readonly<Record<string, string>>;
}

/** @throws SyntaxError */
export async function readWranglerConfig(): Promise<WranglerConfig> {
  const text = await readFile(path.join(EDGE_DIR, 'wrangler.jsonc'), 'utf8');
  return JSON.parse(text.replace(/^\s*\/\/.*$/gm, '')) as WranglerConfig;
}
