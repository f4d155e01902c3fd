// What a run will create and about what it costs, told before it starts. What a cell costs while idle is read from docs/aws.md, so
// that there is one list of prices.

import type { Options } from './options.ts';

const HOURS_A_MONTH = 730;
/** A deployment takes 10 to 15 minutes, a teardown as long, what lies between a few. */
const HOURS = 1;
/** Of us-east-1, dollars a thousand. */
export const PUT_PRICES = { standard: 0.005, express: 0.001_13 } as const;
export type MeasuredClass = keyof typeof PUT_PRICES;
export const CLASSES: readonly MeasuredClass[] = ['express', 'standard'];
/** What one append, sent by itself, writes at most: a copy in each of three zones; one where the service keeps the copies. */
const PUTS_AN_APPEND = { standard: 1, express: 3 } as const satisfies Record<MeasuredClass, number>;
/** Appends beside the measured ones: tails, and all that are tried while a task is away. */
const MORE_APPENDS = 5_000;

export interface IdleCost {
  readonly part: string;
  /** Dollars a month. */
  readonly month: number;
}

/** The column of a development cell. @throws Error where the table is not as it is expected */
export function idleCosts(aws: string): readonly IdleCost[] {
  const [, section = ''] = /^### What a cell costs while idle\n(.*?)^\| \*\*in all/ms.exec(aws) ?? [];
  const rows = [...section.matchAll(/^\| ([^|]+) \| [^|]+ \| \$([\d.]+) \| [^|]+ \| [^|]+ \|$/gm)];
  if (rows.length < 5) throw new Error('docs/aws.md holds no table of what a development cell costs while idle');
  return rows.map(([, part = '', month = '']) => ({ part, month: Number(month) }));
}

/** Dollars of a run. */
export function costOf(idle: readonly IdleCost[], appends: number): { readonly cell: number; readonly requests: number } {
  const month = idle.reduce((sum, part) => sum + part.month, 0);
  const requests = CLASSES.reduce((sum, name) => sum + ((appends + MORE_APPENDS) / 1_000) * PUTS_AN_APPEND[name] * PUT_PRICES[name], 0);
  return { cell: (month / HOURS_A_MONTH) * HOURS, requests };
}

const dollars = (value: number): string => `$${value.toFixed(2)}`;

export function planText(options: Options, stack: string, idle: readonly IdleCost[]): string {
  const { cell, requests } = costOf(idle, options.appends);
  return `This makes the stack ${stack} in ${options.region}${options.profile === undefined ? '' : `, with the profile ${options.profile}`}, zones ${options.zones}:
a development cell with a network of its own, one host on EC2, a load balancer, a table, four buckets, functions, and secrets.

What such a cell costs while idle, a month (docs/aws.md):
${idle.map(({ part, month }) => `  ${dollars(month).padStart(7)}  ${part}`).join('\n')}
For an hour of it, which this takes at most as a rule:  about ${dollars(cell)}
Requests of ${options.appends} measured appends a storage class, and what follows:  at most about ${dollars(requests)}
In all about ${dollars(cell + requests)}, in the prices of us-east-1.

Then it appends to a stream of each storage class (${CLASSES.join(', ')}) and follows one, stops the task, and reads everything back.
It removes the stack again, also after a failure or Ctrl-C, and checks that nothing is left of it. What stays is what the account had or got by
\`cdk bootstrap\`: the image and the assets of this version, in its repository and its bucket (\`npx cdk gc\` removes what nothing names).
The cell speaks plaintext, with a root token that goes with it: use no data of yours.
`;
}
