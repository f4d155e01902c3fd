// Planted bugs that leave somebody waiting: no record is lost, and no answer is wrong, as there is none.

import type { PlantedBug } from './planted-bug.ts';

export const PROMISE_BUGS: readonly PlantedBug[] = [
  {
    name: 'stop-forgets-who-waits-for-a-chunk',
    part: 'channel',
    rules: ['L6'],
    why: 'An owner that stops tells those whose chunk is on its way, and not those whose records wait for the next one: they wait for ever.',
    onlyStalls: true,
    edits: [
      { file: 'core/channel/tenure.ts', find: '    for (const entry of this.#open.waiting()) entry.settle(this.#stopped);\n', replace: '' },
    ],
  },
  {
    name: 'stop-wakes-nobody-who-waits-for-room',
    part: 'channel',
    rules: ['L6'],
    why: 'Appends of sessions that wait for room under an owner that stops wait for ever: there will be none.',
    onlyStalls: true,
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: '    this.#wakeRoom();\n    void this.#writer?.stop();',
        replace: '    void this.#writer?.stop();',
      },
    ],
  },
  {
    name: 'stall-told-to-nobody',
    part: 'channel',
    rules: ['L10'],
    why: 'Appends wait for a quorum that is out of reach as long as it is: their clients give up, and nobody told them what may be.',
    onlyStalls: true,
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: '    for (const chunk of this.#flying) for (const entry of chunk.entries) entry.settle(told);\n    for (const entry of this.#open.waiting()) entry.settle(told);\n    this.#wakeRoom();',
        replace: '    void told;',
      },
    ],
  },
  {
    name: 'failed-session-answers-nothing',
    part: 'api',
    rules: ['A7'],
    why: 'Batches behind a refused one of their session are never answered: whoever submitted them waits for ever.',
    onlyStalls: true,
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: 'return session.failed.then(({ code, message }) => Promise.reject(refused(code, message)));',
        replace: 'return new Promise(() => undefined);',
      },
    ],
  },
];
