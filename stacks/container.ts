// What containers of channel tasks and chunk servers have alike, and the image says too: no rights, nothing to write to, time to end,
// files to open, and the question whether they are alive.

import { Duration, aws_ecs as ecs } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** The user of the image, by number: a disk is prepared for it (chunk-host.ts). */
export const UID = 1_000;
const OPEN_FILES_MAX = 65_536;
/** A process ends within 5 s of SIGTERM, drained or not (functions/local/signals.ts); then ECS kills. */
const STOP_TIMEOUT = Duration.seconds(30);

/** @param scope of the container: what needs a construct of its own belongs to it */
export function hardened(scope: Construct) {
  return {
    user: `${UID}:${UID}`,
    readonlyRootFilesystem: true,
    stopTimeout: STOP_TIMEOUT,
    ulimits: [{ name: ecs.UlimitName.NOFILE, softLimit: OPEN_FILES_MAX, hardLimit: OPEN_FILES_MAX }],
    // Reaps what is orphaned, and passes signals on.
    linuxParameters: new ecs.LinuxParameters(scope, 'Linux', { initProcessEnabled: true }),
    healthCheck: {
      command: ['CMD', 'node', 'health.mjs'],
      interval: Duration.seconds(10),
      timeout: Duration.seconds(5),
      retries: 3,
      startPeriod: Duration.seconds(60),
    },
  };
}
