import { MemoryOffloadQueue } from '#core/adapters/memory/memory-offload-queue.ts';
import { refused } from '#core/model/errors.ts';
import { offloadQueueContract } from '../../contract/offload-queue.ts';

offloadQueueContract('MemoryOffloadQueue', async () => {
  const queue = new MemoryOffloadQueue();
  return {
    queue,
    received: async () => queue.hints.splice(0),
    breakIt() {
      queue.faults = {
        before: () => {
          throw refused('unavailable', 'broken by the test');
        },
      };
    },
  };
});
