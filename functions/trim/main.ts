// The trim function: applies trim points and retention, joins small segments, removes what was deleted. By a schedule.

import { createJobHandler } from '#functions/aws/job-handler.ts';

export const handler = createJobHandler((_event: unknown, { upkeep, remainingMs }) => upkeep.trim(remainingMs));
