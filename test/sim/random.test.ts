// Two runs are compared by their traces and by where all generators stand: a draw that no event shows must be seen, whichever it is.

import { describe, expect, test } from 'vitest';
import { Dice } from './random.ts';
import { OPERATIONS_DEFAULT, play } from './run.ts';
import { World } from './world.ts';

describe('the tree of generators', () => {
  test('a branch draws the same numbers, however much was drawn elsewhere', () => {
    const [one, other] = [new Dice('seed 1'), new Dice('seed 1')];
    other.fork('network').next32();
    other.next32();
    expect(other.fork('zones').next32()).toBe(one.fork('zones').next32());
  });

  test('a draw more in any branch, made by whatever branch, changes the digest', () => {
    const grow = (): Dice => {
      const root = new Dice('seed 1');
      root.fork('cluster').fork('task-0').fork('process-1');
      root.fork('network');
      return root;
    };
    const digests = [undefined, 0, 1, 2, 3, 4].map((extra) => {
      const root = grow();
      if (extra !== undefined) root.tree[extra]?.next32();
      return root.digest;
    });
    expect(new Set(digests).size).toBe(6);
    expect(grow().digest).toBe(digests[0]);
  });

  test('a branch more changes the digest, even if nothing was drawn from it', () => {
    const [one, other] = [new Dice('seed 1'), new Dice('seed 1')];
    other.fork('network');
    expect(other.digest).not.toBe(one.digest);
  });
});

describe('a whole run', () => {
  test('knows every generator that it drew from, and sees one draw more in each of them', async () => {
    const world = new World(11, { operationsMax: OPERATIONS_DEFAULT, without: new Set() });
    await play(world);
    const { dice } = world;
    const paths = dice.tree.map(({ path }) => path);
    for (const part of ['network', 'zones', 'metadata', 'cluster/task-0/clock', 'cluster/task-0/process-1', 'faults', 'workload/client-1'])
      expect(paths).toContain(`seed 11/${part}`);
    const trace = world.fingerprint.value;
    const seen = new Set([dice.digest]);
    for (const branch of dice.tree) {
      branch.next32();
      expect(seen, branch.path).not.toContain(dice.digest);
      seen.add(dice.digest);
    }
    // Nothing of this is in the trace: it is the digest alone that sees it.
    expect(world.fingerprint.value).toBe(trace);
  });
});
