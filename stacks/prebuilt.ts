// What bundle.ts and image.ts give, in the package: there both were made when it was built, and lie beside it.

import path from 'node:path';
import { aws_ecr_assets as assets, aws_lambda as lambda } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type * as bundle from './bundle.ts';
import type * as image from './image.ts';

export const FUNCTIONS_FOLDER = 'functions';
export const IMAGE_FOLDER = 'image';

const beside = (...names: string[]): string => path.join(import.meta.dirname, ...names);

export const codeOf: typeof bundle.codeOf = (name) => lambda.Code.fromAsset(beside(FUNCTIONS_FOLDER, name));

export const imageAsset: typeof image.imageAsset = (scope: Construct) =>
  new assets.DockerImageAsset(scope, 'Image', { directory: beside(IMAGE_FOLDER), platform: assets.Platform.LINUX_ARM64 });
