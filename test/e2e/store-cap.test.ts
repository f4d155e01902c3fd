// Stores that may take only so much: appends are refused as on a full disk, nothing is lost, and all goes on with more room.

import { afterEach, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { newServer, type Server } from '#test/support/server.ts';

const RECORD_BYTES = 256 * 1024;
/** Far more than a backlog of 8 MiB and a store of 1 MiB take. */
const APPENDS_MAX = 100;

let server: Server | undefined;
afterEach(async () => {
  await server?.dispose();
  server = undefined;
});

describe('MILLRACE_STORE_MAX_MIB', () => {
  test('bounds what segments take: appends are refused without an effect, reads go on, and a start with more room takes them again', async () => {
    const env: Record<string, string> = { MILLRACE_BACKLOG_MIB: '8', MILLRACE_STORE_MAX_MIB: '1' };
    server = await newServer({ env });
    await server.start();
    const api = new Api(server.url, 'capped-basin');
    await api.createBasin();
    await api.createStream('s');
    let acknowledged = 0;
    let refusal: { status: number; json: unknown } | undefined;
    for (let i = 0; i < APPENDS_MAX && refusal === undefined; i += 1) {
      const answer = await api.append('s', { records: [{ body: `${i}:`.padEnd(RECORD_BYTES, 'x') }] });
      if (answer.status === 200) acknowledged += 1;
      else refusal = answer;
    }
    expect(refusal).toMatchObject({ status: 502, json: { code: 'hot_server' } });
    expect(acknowledged).toBeGreaterThan(4);
    expect(await api.tail('s')).toBe(acknowledged);
    const last = await api.read('s', `?seq_num=${acknowledged - 1}&count=1`);
    expect(last.text).toContain(`"${acknowledged - 1}:x`);

    env['MILLRACE_STORE_MAX_MIB'] = '64';
    await server.kill();
    await server.start();
    await expect
      .poll(async () => (await new Api(server?.url ?? '', 'capped-basin').append('s', { records: [{ body: 'more' }] })).status, {
        timeout: 15_000,
      })
      .toBe(200);
    const first = await new Api(server.url, 'capped-basin').read('s', '?seq_num=0&count=1');
    expect(first.text).toContain('"0:x');
    expect(await new Api(server.url, 'capped-basin').tail('s')).toBe(acknowledged + 1);
  }, 60_000);
});
