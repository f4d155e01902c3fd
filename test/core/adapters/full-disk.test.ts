// The metadata file on a disk that is really full, and stays so whatever is freed on it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { SmallDisks, whyNoDisks } from '#test/support/small-disks.ts';

const obstacle = whyNoDisks();
if (obstacle !== undefined) console.log(`skipped: ${obstacle}`);

test.skipIf(obstacle !== undefined)(
  'M16: upkeep goes on, growth is refused, and both are taken again once there is space',
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'millrace-full-'));
    const disks = await SmallDisks.mount(folder, { '.': 64 });
    try {
      const report = JSON.parse(disks.run(path.join(import.meta.dirname, 'full-metadata.ts'), folder));
      // Each of these found no byte free on the disk.
      expect(report).toEqual({
        growth: 'disk_full none',
        // Five MiB of the reserve, in rows.
        rowsAdded: expect.toSatisfy((rows) => rows > 8_000),
        rowBeyond: 'disk_full none',
        updatesRefused: 0,
        rowAfterDeletes: 'committed',
        growthWithSpace: 'committed',
        integrity: 'ok',
        missing: 0,
      });
    } finally {
      disks.unmount();
      await rm(folder, { recursive: true, force: true });
    }
  },
  60_000,
);
