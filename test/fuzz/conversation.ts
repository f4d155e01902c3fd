// One run of the fuzz: a world of its own, and a hundred requests to it, one after the other or sent ahead.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { changed } from './changes.ts';
import { checkAnswer } from './described.ts';
import { checkServing, openWorld, type Tokens } from './fixtures.ts';
import type { RawAnswer } from './memory-connection.ts';
import type { Draft, FuzzRequest } from './requests.ts';
import type { Tally } from './tally.ts';
import type { FuzzWorld, Sent } from './world.ts';

export const CASES_A_RUN = 100;
const AHEAD_MAX = 5;
/** For what clients left behind to end. */
const CLEAN_UP_MS = 30_000;

export interface Conversation {
  readonly mode: 'off' | 'required';
  /** How many requests are sent without waiting for an answer. */
  readonly ahead: number;
  readonly requests: readonly (readonly [route: string, request: FuzzRequest])[];
}

export function conversation(request: fc.Arbitrary<readonly [string, FuzzRequest]>): fc.Arbitrary<Conversation> {
  return fc.record({
    mode: fc.constantFrom('off', 'off', 'required'),
    ahead: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.integer({ min: 2, max: AHEAD_MAX }) }),
    requests: fc.array(request, { minLength: CASES_A_RUN, maxLength: CASES_A_RUN }),
  });
}

interface Case {
  readonly route: string;
  readonly draft: Draft;
  readonly sent: Sent;
}

/** Holds the conversation. @throws AssertionError with the request that was answered wrong */
export async function hold({ mode, ahead, requests }: Conversation, tally: Tally): Promise<void> {
  const { world, tokens } = await openWorld('fuzz', mode);
  const cases = requests.map(([route, { draft, changes }]): Case => {
    const made = changed(draft, changes);
    return { route, draft: made, sent: encode(made, tokens) };
  });
  for (let at = 0; at < cases.length; ) {
    const next = cases.slice(at, at + ahead);
    const unfinished = next.findIndex(({ sent }) => sent.isUnfinished);
    const some = unfinished < 0 ? next : next.slice(0, unfinished + 1);
    at += some.length;
    await ask(world, some, tally);
  }
  world.hangUp();
  await checkServing(world);
  assert.deepEqual(world.faults, []);
  await world.close();
}

async function ask(world: FuzzWorld, some: readonly Case[], tally: Tally): Promise<void> {
  let answers: RawAnswer[] = [];
  try {
    answers = await world.request(some.map(({ sent }) => sent));
    for (const [i, answer] of answers.entries()) {
      const { route, draft } = some[i] as Case;
      tally.add(
        route,
        checkAnswer({ method: draft.method, target: draft.target, acceptEncoding: draft.headers['accept-encoding'] }, answer),
      );
    }
    assert(await world.untilWorked(() => world.openCount === 0, CLEAN_UP_MS), `${world.openCount} requests are still open`);
    assert.deepEqual(world.faults, []);
  } catch (error) {
    const told = some.map(({ sent }) => JSON.stringify(Buffer.from(sent.bytes.subarray(0, 2_000)).toString('latin1'))).join('\n');
    throw new Error(
      `${(error as Error).message}\nasked: ${told}\nanswers: ${answers.map(({ status, body }) => `${status} ${body}`).join('\n')}`,
      {
        cause: error,
      },
    );
  }
  for (const { route } of some.slice(answers.length)) tally.add(route, 'left');
}

const withoutBreaks = (text: string): string => text.replace(/[\r\n]/g, '');

function encode({ method, target, headers, body, missing, isChunked }: Draft, tokens: Tokens): Sent {
  const fields = Object.entries(headers).map(([name, value]) => {
    const told = value.replace(/@(\w+)@/, (_, token: string) => tokens[token] ?? tokens['root'] ?? '');
    return `${name}: ${withoutBreaks(told)}\r\n`;
  });
  const length = (body?.length ?? 0) + missing;
  const framing = isChunked ? 'transfer-encoding: chunked\r\n' : body === undefined && missing === 0 ? '' : `content-length: ${length}\r\n`;
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${fields.join('')}${framing}\r\n`, 'latin1');
  const content = isChunked ? chunks(body ?? new Uint8Array(0), missing === 0) : (body ?? new Uint8Array(0));
  return {
    method,
    bytes: Buffer.concat([head, content]),
    isUnfinished: missing > 0,
  };
}

/** In two pieces. */
function chunks(body: Uint8Array, isFinished: boolean): Buffer {
  const half = body.length >> 1;
  const pieces = [body.subarray(0, half), body.subarray(half)].filter((piece) => piece.length > 0);
  const encoded = pieces.flatMap((piece) => [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  return Buffer.concat([...encoded, Buffer.from(isFinished ? '0\r\n\r\n' : '')]);
}
