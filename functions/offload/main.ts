// The offload function: moves committed records into segments, told by a queue and by a schedule.

import { createJobHandler } from '#functions/aws/job-handler.ts';
import { type OffloadEvent, offload } from './batch.ts';

export const handler = createJobHandler((event: OffloadEvent, invocation) => offload(event, invocation));
