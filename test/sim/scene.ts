// What faults strike: everything in a run that can go wrong, and what sees it.

import type { Audit } from './audit.ts';
import type { Cluster } from './cluster.ts';
import type { EventLoop } from './event-loop.ts';
import type { Network } from './network.ts';
import type { Metadata } from './ports/metadata.ts';
import type { Objects } from './ports/objects.ts';
import type { Zones } from './ports/zones.ts';
import type { Process } from './process.ts';
import type { Situations } from './situations.ts';

export interface Scene {
  readonly loop: EventLoop;
  readonly network: Network;
  readonly zones: Zones;
  readonly objects: Objects;
  readonly metadata: Metadata;
  readonly cluster: Cluster;
  readonly audit: Audit;
  readonly situations: Situations;
  readonly leaseMs: number;
  /** Somebody begins to follow a stream there, and stays with it whatever becomes of it. */
  readonly shadow: (process: Process) => void;
  readonly note: (text: string) => void;
}
