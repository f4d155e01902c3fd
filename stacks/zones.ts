// The three availability zones of a cell: where its subnets lie (by name, which each account maps in its own way) and where its
// directory buckets do (by id, which is the same for all). Not every zone has S3 Express.

import { Token } from 'aws-cdk-lib';

export interface Zone {
  /** What this account calls it: `us-east-1a`. */
  readonly name: string;
  /** Its id: `use1-az4`. `aws ec2 describe-availability-zones` lists both. */
  readonly id: string;
}

export type Zones = readonly [Zone, Zone, Zone];

/** Zones that had S3 Express when this was written, of regions with at least three: AWS adds to them. */
const WITH_EXPRESS: Readonly<Record<string, readonly string[]>> = {
  'us-east-1': ['use1-az4', 'use1-az5', 'use1-az6'],
  'us-west-2': ['usw2-az1', 'usw2-az3', 'usw2-az4'],
  'eu-north-1': ['eun1-az1', 'eun1-az2', 'eun1-az3'],
};
const ZONES_COUNT = 3;
const NAME = /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/;
const ID = /^[a-z]{2,5}\d-az\d+$/;

/** @throws Error that says what a zone must be; @returns what to warn of: zones that may have no S3 Express */
export function checkZones(zones: readonly Zone[], region: string): readonly string[] {
  const fail = (why: string): never => {
    throw new Error(`zones must be three availability zones, each with its name (us-east-1a) and its id (use1-az4): ${why}`);
  };
  if (zones.length !== ZONES_COUNT) fail(`there are ${zones.length}`);
  for (const { name, id } of zones) {
    if (!NAME.test(name)) fail(`"${name}" is not the name of a zone`);
    if (!ID.test(id)) fail(`"${id}" is not the id of a zone`);
    if (!Token.isUnresolved(region) && !name.startsWith(region)) fail(`"${name}" does not lie in ${region}`);
  }
  if (new Set(zones.map(({ name }) => name)).size < ZONES_COUNT) fail('two have the same name');
  if (new Set(zones.map(({ id }) => id)).size < ZONES_COUNT) fail('two have the same id');
  if (Token.isUnresolved(region)) return [];
  const known = WITH_EXPRESS[region];
  return zones
    .filter(({ id }) => known?.includes(id) !== true)
    .map(({ id }) => `${id} in ${region} is not known to have S3 Express: deploy only if AWS lists it`);
}
