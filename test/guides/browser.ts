// Chromium without a window, from Debian's package; and a server of one page.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = process.env['MILLRACE_TEST_CHROMIUM'] ?? '/usr/bin/chromium';

/** Undefined where it is there; else how it comes to be installed. */
export function missingChromium(): string | undefined {
  return existsSync(CHROMIUM)
    ? undefined
    : 'Chromium is not there; install it with: apt-get install -y --no-install-recommends chromium (or name one in MILLRACE_TEST_CHROMIUM)';
}

export async function startBrowser(): Promise<Browser> {
  // Its sandbox wants rights that containers seldom give; the only page that it shows is ours.
  return await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export interface PageServer {
  readonly url: string;
  close(): void;
}

/** Answers everything with one file, as any host of static files would. */
export async function servePage(file: string): Promise<PageServer> {
  const html = await readFile(file);
  const server = http.createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(html));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}/tail.html`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
