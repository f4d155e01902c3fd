// A secret that the stack makes up, and nobody sees: no template, log or output holds it.

import { type RemovalPolicy, aws_secretsmanager as secrets } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

const CHARS = 48;

export function createSecret(scope: Construct, name: string, description: string, removalPolicy: RemovalPolicy): secrets.Secret {
  const generateSecretString = { passwordLength: CHARS, excludePunctuation: true };
  return new secrets.Secret(scope, name, { description, generateSecretString, removalPolicy });
}
