// Findings of cdk-nag that are meant to be: each on one resource, by the construct that owns it, and with its reason.

import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** @param findings by the number of the rule: `S1`, or `IAM5[Resource::*]` for one finding of it */
export function acknowledge(resource: IConstruct, findings: Readonly<Record<string, string>>): void {
  for (const [id, reason] of Object.entries(findings)) {
    Validations.of(resource).acknowledge({ id: `AwsSolutions::AwsSolutions-${id}`, reason });
  }
}
