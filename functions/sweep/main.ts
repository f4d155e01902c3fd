// The sweep function: finds what no metadata ever named, and deletes it. By a schedule.

import { createJobHandler } from '#functions/aws/job-handler.ts';

export const handler = createJobHandler((_event: unknown, { upkeep, remainingMs }) => upkeep.sweep(remainingMs));
