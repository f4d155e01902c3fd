// The functions of a cell as Lambda runs them, each a process of its own: offload fed by the queue, all jobs by schedules that are
// shorter than those of the template, and the control plane by requests.

import type { APIGatewayProxyStructuredResultV2, SQSBatchResponse } from 'aws-lambda';
import { FUNCTION_NAMES, type FunctionName, JOB_NAMES, type JobName } from '#stacks/bundle.ts';
import { openQueue, type TestQueue } from '#test/support/aws/queue.ts';
import { eventOfRequest } from '#test/support/lambda/api-event.ts';
import { createLambda, type Lambda } from '#test/support/lambda/lambda.ts';
import { declaredFunction, declaredQueue } from './settings.ts';
import type { Template, Values } from './template.ts';

/** What EventBridge does every few minutes. */
const EVERY_MS: Readonly<Record<JobName, number>> = { offload: 4_000, gc: 3_000, trim: 3_000, sweep: 10_000 };
const QUEUE_EVERY_MS = 250;
const SCHEDULE = { source: 'aws.events', 'detail-type': 'Scheduled Event' };

export interface Asked {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

export class Functions {
  readonly queue: TestQueue;
  readonly #lambdas: ReadonlyMap<string, Lambda>;
  /** Invocations that ended well, by what was invoked. */
  readonly #done = new Map<string, number>();
  readonly #failures: string[] = [];
  #isOver = false;
  #running: readonly Promise<void>[] = [];

  private constructor(queue: TestQueue, lambdas: ReadonlyMap<string, Lambda>) {
    this.queue = queue;
    this.#lambdas = lambdas;
  }

  /** @param env where they find the services */
  static async create(
    template: Template,
    values: Values,
    queueEndpoint: string,
    env: Readonly<Record<string, string>>,
  ): Promise<Functions> {
    const { url, deadUrl, batchMax } = declaredQueue(template, values);
    const lambdas = new Map<string, Lambda>();
    const made = async (key: string, name: FunctionName): Promise<void> => {
      const declared = declaredFunction(template, values, name);
      lambdas.set(key, await createLambda({ ...declared, env: { ...env, ...declared.env } }));
    };
    for (const name of FUNCTION_NAMES) await made(name, name);
    // Lambda runs another environment for the queue beside that of the schedule.
    await made('offload by the queue', 'offload');
    return new Functions(openQueue(queueEndpoint, url, deadUrl, batchMax), lambdas);
  }

  start(): void {
    const schedules = JOB_NAMES.map((name) => this.#repeat(EVERY_MS[name], () => this.#invoke(name)));
    this.#running = [...schedules, this.#repeat(QUEUE_EVERY_MS, () => this.#deliver())];
  }

  /** Resolves once the last invocation has ended. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  async dispose(): Promise<void> {
    this.#isOver = true;
    for (const lambda of this.#lambdas.values()) await lambda.dispose();
    await Promise.all(this.#running);
    this.queue.close();
  }

  done(name: string): number {
    return this.#done.get(name) ?? 0;
  }

  /** What invocations failed with. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  get logs(): readonly (readonly [name: string, log: string])[] {
    return [...this.#lambdas].map(([name, { log }]) => [name.replaceAll(' ', '-'), log] as const);
  }

  /** A request to the URL of the control plane. */
  async ask(token: string, method: string, target: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Asked> {
    const all = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers };
    const event = eventOfRequest(method, target, all, body === undefined ? undefined : JSON.stringify(body));
    const answer = (await this.#of('api').invoke(event)) as APIGatewayProxyStructuredResultV2;
    const text = Buffer.from(answer.body ?? '', answer.isBase64Encoded === true ? 'base64' : 'utf8').toString();
    this.#count('api');
    return { status: answer.statusCode ?? 0, json: /^[[{]/.test(text) ? (JSON.parse(text) as Record<string, unknown>) : {} };
  }

  async #invoke(name: JobName): Promise<void> {
    await this.#of(name).invoke(SCHEDULE);
    this.#count(name);
  }

  async #deliver(): Promise<void> {
    const name = 'offload by the queue';
    const answer = await this.queue.deliver(async (event) => (await this.#of(name).invoke(event)) as SQSBatchResponse);
    if (answer === undefined) return;
    this.#count(name);
    if (answer.batchItemFailures.length > 0) this.#failures.push(`${name}: ${answer.batchItemFailures.length} messages are to come again`);
  }

  /** A failure is told at the end: the next turn tries again, as the next schedule would. */
  async #repeat(everyMs: number, act: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      await act().catch((error: unknown) => {
        if (!this.#isOver) this.#failures.push(String(error));
      });
      for (let waited = 0; waited < everyMs && !this.#isOver; waited += 50) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  #count(name: string): void {
    this.#done.set(name, this.done(name) + 1);
  }

  #of(name: string): Lambda {
    const lambda = this.#lambdas.get(name);
    if (lambda === undefined) throw new Error(`no function ${name}`);
    return lambda;
  }
}
