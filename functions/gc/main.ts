// The gc function: deletes chunks that are offloaded, and objects that no metadata names any more. By a schedule.

import { createJobHandler } from '#functions/aws/job-handler.ts';

export const handler = createJobHandler((_event: unknown, { upkeep, remainingMs }) => upkeep.gc(remainingMs));
