// What simulator, chaos and control plane found in the product, and the tests that fail if it comes back. docs/verification.md tells
// what each bug was; regressions.test.ts holds the two lists against each other, and looks for the tests.

export interface Regression {
  /** By whom, and with which seeds, as docs/verification.md says. */
  readonly found: string;
  readonly tests: readonly { readonly file: string; readonly title: string }[];
}

function kept(found: string, ...tests: readonly (readonly [file: string, title: string])[]): Regression {
  return { found, tests: tests.map(([file, title]) => ({ file: `test/core/${file}.test.ts`, title })) };
}

export const REGRESSIONS: readonly Regression[] = [
  kept('sim 18, 29, 55', ['jobs/trim', 'two runs whose reads fall between each other: both end, and nothing is counted twice']),
  kept('sim 171', ['metadata/names', 'M7: of two removals at once both find the stream removed, and the name is free']),
  kept('sim 365', [
    'channel/channel',
    'L8: an owner that was overtaken while it replayed, and finds the chunks gone, takes the channel over again',
  ]),
  kept('sim 54', ['jobs/offload', 'looks again when what it was to read was offloaded and deleted by another run meanwhile']),
  kept('sim 28, 120', ['api/service', 'A6: says that it may have happened when the seal is committed and the mark is not']),
  kept('sim 104', ['jobs/trim', 'a deletion of which only the seal was made, and not the mark on the name, is completed']),
  kept('sim 11066', [
    'jobs/sweep',
    'a run that is out of time says where the next one goes on: what lies far behind is reached all the same',
  ]),
  kept('sim 17, 34, 115', ['jobs/sweep', 'G9: late chunks of a log that left M go, its last seal stays']),
  kept('sim 20192', ['jobs/offload', 'O4: what was read ahead of base does not count in a log that a takeover ended before it']),
  kept('chaos 77', [
    'cell/crash-loop',
    'chunks that a crash brings back, of a log that is dropped, are deleted soon after a start, and not with the next sweep',
  ]),
  kept('sim 300813, 301898', [
    'metadata/names',
    'M13: the request that made a stream, arriving once more after its removal, does not bring the name back',
  ]),
  kept('sim 301774, 400274', ['jobs/sweep', 'G9: a seal that is on its way to a zone is spared there, where others hold it']),
  kept('sim 1003421, 1003555', ['jobs/gc', 'G4: stops dropping logs once somebody has claimed the channel']),
  kept('sim 1005039', [
    'channel/stall',
    'L5, A7: what stands behind a refused batch of its session is not told why before that batch is, nor anything else',
  ]),
  kept('sim 1000780, 1001173', ['reader/read-budget', 'that are closed at any step of a read hold nothing afterwards']),
  kept('sim 5005109', [
    'jobs/gc',
    'G3: an object whose offload was applied and not finished stays for whoever finishes it, also when all its rows are gone',
  ]),
  kept('planted-bug hunt 57', [
    'channel/watch',
    'L2, L7: what jobs go on to change in M does not put off the takeover from an owner that is gone',
  ]),
  kept('planted-bug hunt 179', [
    'jobs/sweep',
    'G9: a log that is closed, offloaded and dropped while zones are listed is left alone, and keeps its last seal',
  ]),
  kept(
    'control plane 6.5',
    ['metadata/names', 'M20: a change that meets a deletion does not withdraw it'],
    ['metadata/names', 'M20: a change of a configuration that meets a deletion does not withdraw it'],
    ['metadata/segment-index', 'M20: of changes of a state that meet none is lost, whichever field each adds'],
  ),
  kept('control plane 6.37', [
    'metadata/names',
    'M11: what a stream gets of its basin is what the basin says when the stream is made or changed, not when that was planned',
  ]),
  kept('control plane 6.377', [
    'channel/config',
    'S5: is answered behind the appends that were sequenced before: none of them is seen to come later',
  ]),
];
