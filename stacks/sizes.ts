// How large a cell's tasks and functions are, by name. Prices are of us-east-1, on demand, a month, and of the hosts alone.

import { Duration } from 'aws-cdk-lib';

export interface Size {
  readonly instanceType: string;
  /** Memory that the task may use; the rest is the host's. */
  readonly taskMemoryMiB: number;
  /** Channel tasks, each on a host of its own: one, or 3 to 5 (a deployment replaces one at a time). */
  readonly tasks: { readonly min: 1 | 3 | 4 | 5; readonly max: 1 | 3 | 4 | 5 };
  /** Channels of each storage class, which the tasks share. A cell's may grow, and never shrink. */
  readonly channels: number;
  /** Records that may wait for offload, a storage class. They lie in memory, so they bound it. */
  readonly backlogMib: number;
  /** Of the function that offloads: what it moves lies in it twice. */
  readonly offloadMemoryMiB: number;
  /** How often functions look for work; offload is told besides. */
  readonly jobsEvery: Duration;
}

export const SIZES = {
  /** To try it: about $12. */
  development: {
    instanceType: 't4g.small',
    taskMemoryMiB: 1_400,
    tasks: { min: 1, max: 1 },
    channels: 1,
    backlogMib: 64,
    offloadMemoryMiB: 512,
    jobsEvery: Duration.minutes(5),
  },
  /** About $53 a task, and three of them; 2 vCPU, 4 GiB, up to 12.5 Gbit/s. */
  small: {
    instanceType: 'c7g.large',
    taskMemoryMiB: 3_200,
    tasks: { min: 3, max: 3 },
    channels: 3,
    backlogMib: 256,
    offloadMemoryMiB: 1_024,
    jobsEvery: Duration.minutes(1),
  },
  /** About $182 a task, and three to five of them; 4 vCPU, 8 GiB, up to 40 Gbit/s. */
  large: {
    instanceType: 'c7gn.xlarge',
    taskMemoryMiB: 7_000,
    tasks: { min: 3, max: 5 },
    channels: 5,
    backlogMib: 1_024,
    offloadMemoryMiB: 1_769,
    jobsEvery: Duration.minutes(1),
  },
} as const satisfies Record<string, Size>;

export type SizeName = keyof typeof SIZES;

/** @throws Error that says what a size may be */
export function sizeOf(name: string): Size {
  const found = Object.entries(SIZES).find(([each]) => each === name);
  if (found === undefined) throw new Error(`size is "${name}"; it must be one of ${Object.keys(SIZES).join(', ')}`);
  return found[1];
}
