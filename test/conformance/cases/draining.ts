// A server that is about to stop. (Section 4.6.)

import { strict as assert } from 'node:assert';
import { append, bodies, type Case, post, read, refusal } from '../case.ts';
import type { CaseClient } from '../case-client.ts';
import { FLAG_RECONNECT, FLAG_TERMINAL, type Frame, type Session } from '../client/session.ts';

async function prepared(client: CaseClient) {
  const { server, client: other } = await client.startAnother();
  await other.expect(post('/basins', { basin: '{basin}' }), { status: 201 });
  await other.expect(post('/streams', { stream: 's' }), { status: 201 });
  return { server, other };
}

/** The frames up to the terminal one. */
async function untilTerminal(session: Session): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (let next = await session.frame(); next !== undefined; next = await session.frame()) {
    frames.push(next);
    if ((next.flags & FLAG_TERMINAL) !== 0) break;
  }
  return frames;
}

export const DRAINING_CASES: readonly Case[] = [
  {
    name: 'sessions are advised to go elsewhere, and ended with server_draining once everything is acknowledged',
    shows: ['4.6-advice', '4.6-terminal', '4.6-acks-first', '4.2-reconnect-bit', '1.5-code-server-draining'],
    needs: ['restart'],
    basin: null,
    timeoutMs: 40_000,
    run: async (client) => {
      const { server, other } = await prepared(client);
      const appending = await other.appendSession('s');
      const reading = await other.readSession('s', 'seq_num=0');
      appending.append({ records: [{ body: 'before' }] });
      await appending.ack();
      assert.equal((await reading.regular()).flags & FLAG_RECONNECT, 0);
      const stopped = server.stop();
      await client.sleep(100);
      let sent = 1;
      for (; sent < 6; sent += 1) appending.append({ records: [{ body: String(sent) }] });
      const frames = await untilTerminal(appending);
      const acks = frames.filter(({ flags }) => (flags & FLAG_TERMINAL) === 0);
      assert.equal(acks.length, 5, 'what was taken is not acknowledged');
      assert.ok(
        acks.every(({ flags }) => (flags & FLAG_RECONNECT) !== 0),
        'acknowledgements do not advise to reconnect',
      );
      assert.deepEqual(
        [frames.at(-1)?.payload.readUInt16BE(0), frames.at(-1)?.payload.toString().includes('server_draining')],
        [503, true],
      );
      const read = await untilTerminal(reading);
      assert.ok(
        read.some(({ flags }) => (flags & (FLAG_RECONNECT | FLAG_TERMINAL)) === FLAG_RECONNECT),
        'no batch advises to reconnect',
      );
      assert.equal(read.at(-1)?.payload.readUInt16BE(0), 503);
      await stopped;
      await server.start();
      await other.expect(post('/streams/s/records', { records: [{}], match_seq_num: 6 }), { status: 200 });
    },
  },
  {
    name: 'a request that waits while the server stops is answered with server_draining',
    shows: ['4.6-terminal', '1.5-code-server-draining'],
    needs: ['restart'],
    basin: null,
    timeoutMs: 40_000,
    run: async (client) => {
      const { server, other } = await prepared(client);
      await other.expect(append('s', [{ body: 'before' }]), { status: 200 });
      const waiting = other.expect(read('s', 'tail_offset=0&wait=30'), refusal(503, 'server_draining'));
      await client.sleep(300);
      await server.stop();
      await waiting;
      await server.start();
      await other.expect(read('s', 'seq_num=0'), bodies('before'));
    },
  },
];
