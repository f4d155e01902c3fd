// The run as a story: the template, the services, the cell, and what happens to it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startCell, writeLogs } from './cell.ts';
import { smokeDeploy } from './deploy.ts';
import { provision } from './provision.ts';
import type { Report } from './report.ts';
import { startServices } from './services.ts';
import { Story } from './story.ts';
import { synthesise, Template } from './template.ts';

export interface RunOptions {
  /** Written of each storage class at full load. */
  readonly mib: number;
  readonly seed: number;
  /** Where `cdk synth` left it already; undefined: it is made. */
  readonly template: string | undefined;
  readonly parts: readonly ('cell' | 'deploy')[];
}

export async function run(options: RunOptions, report: Report): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-aws-'));
  try {
    if (options.template === undefined) {
      report.step('cdk synth, with the control plane');
      const ms = await synthesise(folder, ['controlPlane=yes', 'removal=destroy']);
      report.note(`took ${(ms / 1_000).toFixed(1)} s`);
    }
    const template = await Template.read(options.template ?? folder);
    if (options.parts.includes('cell')) await runCell(template, options, report);
    if (options.parts.includes('deploy')) {
      report.step('cdk deploy against moto');
      await smokeDeploy(template, report);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runCell(template: Template, options: RunOptions, report: Report): Promise<void> {
  report.step('DynamoDB Local, moto, and fronts that count');
  const services = await startServices();
  try {
    const values = await provision(template, services);
    report.note('made from the template: a table, four buckets, two queues, two secrets');
    const cell = await startCell(template, values, services);
    report.note(`two tasks behind ${cell.balancer.endpoint}, the Worker at ${cell.edge.url}, six functions`);
    let hasEnded = false;
    try {
      await new Story(cell, services, options, report).tell();
      hasEnded = true;
    } finally {
      if (!hasEnded || report.failures.length > 0) report.note(`what the processes said is in ${await writeLogs(cell)}`);
      await cell.stop();
    }
  } finally {
    await services.stop();
  }
}
