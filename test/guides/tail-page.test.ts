// docs/guides/tail.html in Chromium, through the Worker in workerd, before a cell that checks access tokens.

import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { AppendInput, AppendRecord, S2, type S2Stream } from '@s2-dev/streamstore';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { bearer, closeWorld, issue, ROOT_TOKEN, startWorld, type World } from '#test/edge/world.ts';
import { isMissing } from '#test/support/aws/emulators.ts';
import { missingChromium, type PageServer, servePage, startBrowser } from './browser.ts';

const BASIN = 'edge-basin';
const HTML = `<img src=x onerror="document.title='taken over'"><script>document.title='taken over'</script>`;

describe.skipIf(isMissing(missingChromium()))('the page that follows a stream', { timeout: 60_000 }, () => {
  let at: World;
  let browser: Browser;
  let server: PageServer;
  let readOnly: string;
  let s2: S2;

  beforeAll(async () => {
    at = await startWorld({ auth: 'required', revocationMsMax: 200 });
    server = await servePage(path.join(import.meta.dirname, '../../docs/guides/tail.html'));
    browser = await startBrowser();
    s2 = new S2({ accessToken: ROOT_TOKEN, endpoints: { account: at.edge.url, basin: at.edge.url } });
    await s2.basins.create({ basin: BASIN });
    readOnly = await issue(at.api, 'page', { basins: { exact: BASIN }, streams: { prefix: '' }, ops: ['read'] });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
    if (at !== undefined) await closeWorld(at);
  });

  async function newStream(name: string): Promise<S2Stream> {
    await s2.basin(BASIN).streams.create({ stream: name });
    return s2.basin(BASIN).stream(name, { forceTransport: 'fetch' });
  }

  async function append(stream: S2Stream, ...bodies: string[]): Promise<void> {
    await stream.append(AppendInput.create(bodies.map((body) => AppendRecord.string({ body, headers: [['<b>h</b>', HTML]] }))));
  }

  /** The page as a person meets it, following. */
  async function follow(stream: string, from: string, token = readOnly, url = at.edge.url): Promise<Page> {
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    await page.goto(`${server.url}#${new URLSearchParams({ url, basin: BASIN, stream, from })}`);
    await page.fill('input[name=token]', token);
    await page.click('#follow');
    return page;
  }

  const bodies = (page: Page): Promise<string[]> => page.locator('#records li .body').allTextContents();
  const state = (page: Page): Promise<string | null> => page.locator('#state').textContent();
  const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `${from + i}`);

  test('shows records in order as they are appended, and resumes without gap or repeat where the connection is cut', async () => {
    const stream = await newStream('cut/é');
    await append(stream, ...numbers(0, 5));
    const page = await follow('cut/é', '0');
    await expect.poll(() => bodies(page), { timeout: 15_000 }).toEqual(numbers(0, 5));
    await append(stream, ...numbers(5, 8));
    await expect.poll(() => bodies(page)).toEqual(numbers(0, 8));
    for (let next = 8; next < 38; next += 10) {
      const reads = at.origin.seen.length;
      for (let i = next; i < next + 5; i += 1) await append(stream, `${i}`);
      at.origin.dropConnections();
      for (let i = next + 5; i < next + 10; i += 1) await append(stream, `${i}`);
      await expect.poll(() => bodies(page), { timeout: 15_000 }).toEqual(numbers(0, next + 10));
      // It did come again, and asked for what it had not seen.
      const again = at.origin.seen.slice(reads).filter(({ method, url }) => method === 'GET' && url.includes('seq_num='));
      expect(again.length).toBeGreaterThan(0);
    }
    await expect.poll(() => state(page)).toBe('Following; the next record is 38.');
    expect(await page.locator('#records li .seq-num').allTextContents()).toEqual(numbers(0, 38));
  });

  test('shows what looks like HTML as the text that it is', async () => {
    const stream = await newStream('html');
    await append(stream, HTML, '</li></ol><h1>mine</h1>', 'two\nlines & an &amp;');
    const page = await follow('html', '0');
    await expect.poll(() => bodies(page), { timeout: 15_000 }).toEqual([HTML, '</li></ol><h1>mine</h1>', 'two\nlines & an &amp;']);
    expect(await page.locator('#records li .headers').first().textContent()).toBe(`<b>h</b>: ${HTML}`);
    expect([await page.title(), await page.locator('h1').count(), await page.locator('img, #records script, #records b').count()]).toEqual([
      'Tail of a stream',
      1,
      0,
    ]);
    // Should a change forget about it, the browser does not.
    const made = page.evaluate(
      (text) => ((globalThis as unknown as { document: { body: { innerHTML: string } } }).document.body.innerHTML = text),
      HTML,
    );
    await expect(made).rejects.toThrow('TrustedHTML');
  });

  test('from the tail shows only what comes, and from behind a trim point says what is gone', async () => {
    const stream = await newStream('late');
    await append(stream, 'old 0', 'old 1', 'old 2');
    const page = await follow('late', 'tail');
    await expect.poll(() => state(page), { timeout: 15_000 }).toBe('Following; the next record is 3.');
    await append(stream, 'new');
    await expect.poll(() => bodies(page)).toEqual(['new']);
    await page.click('#stop');
    await expect.poll(() => state(page)).toBe('Stopped before record 4.');
    await append(stream, 'unseen');
    expect(await bodies(page)).toEqual(['new']);

    await stream.append(AppendInput.create([AppendRecord.trim(4)]));
    const later = await follow('late', '1');
    await expect.poll(() => bodies(later), { timeout: 15_000 }).toContain('unseen');
    expect(await later.locator('#records li').first().textContent()).toBe('Records 1 to 3 have been trimmed.');
    expect(await later.locator('.headers').last().textContent()).toBe('command trim');
  });

  test('says why it is refused and asks no more, and tells the token to nobody but by its header', async () => {
    await newStream('refused');
    const asked = at.origin.seen.length;
    const wrong = await follow('refused', '0', 'nonsense');
    await expect.poll(() => state(wrong), { timeout: 15_000 }).toMatch(/^401 authn /);
    const missing = await follow('no such stream', '0');
    await expect.poll(() => state(missing), { timeout: 15_000 }).toMatch(/^404 stream_not_found /);
    const beyond = await follow('refused', '7');
    await expect.poll(() => state(beyond), { timeout: 15_000 }).toMatch(/^416 /);
    const writing = await at.api.call('POST', '/streams/refused/records', {
      headers: bearer(readOnly),
      body: { records: [{ body: 'x' }] },
    });
    expect(writing.status).toBe(403);
    const settled = at.origin.seen.length;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(at.origin.seen.length).toBe(settled);
    for (const { url } of at.origin.seen.slice(asked)) expect(url).not.toContain(readOnly);
    expect(wrong.url()).not.toContain('nonsense');
  });

  test('tries again while the cell is not there', async () => {
    const stream = await newStream('away');
    await append(stream, 'a');
    let refusals = 0;
    at.origin.intercept = (_, response) => {
      refusals += 1;
      (response as ServerResponse).writeHead(503, { 'content-type': 'application/json' });
      response.end('{"code":"unavailable","message":"<i>soon</i>"}');
      return true;
    };
    const page = await follow('away', '0');
    await expect.poll(() => state(page), { timeout: 15_000 }).toBe('503 unavailable <i>soon</i>; trying again …');
    await expect.poll(() => refusals, { timeout: 15_000 }).toBeGreaterThan(2);
    at.origin.intercept = undefined;
    await expect.poll(() => bodies(page), { timeout: 15_000 }).toEqual(['a']);
  });
});
