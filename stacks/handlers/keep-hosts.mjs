// Has a group of hosts keep those that seem ill: what lies on their disks is for a person to give up, one zone at a time (Z21). The
// group launches another one once that person has ended it.

import { answering } from './answer.mjs';

const ScalingProcesses = ['ReplaceUnhealthy', 'AZRebalance'];

/** @param suspend asks EC2 Auto Scaling; by its name, so that nobody needs its client who does not run this */
export async function keepHosts({ RequestType, ResourceProperties }, suspend) {
  if (RequestType === 'Delete') return;
  for (const AutoScalingGroupName of ResourceProperties.Groups) await suspend({ AutoScalingGroupName, ScalingProcesses });
}

export const handler = answering(async (event) => {
  const { AutoScalingClient, SuspendProcessesCommand } = await import('@aws-sdk/client-auto-scaling');
  const client = new AutoScalingClient({});
  await keepHosts(event, (input) => client.send(new SuspendProcessesCommand(input)));
});
