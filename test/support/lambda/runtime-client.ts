// A small client of Lambda's Runtime API, in the place of the one that AWS installs in its runtime: loads a bundle's handler, takes
// invocations one at a time, and tells what came of each. `npm run test:lambda` runs the same tests with the one of AWS.

import http from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

interface Answer {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

type Handler = (event: unknown, context: object) => Promise<unknown>;

const PATH = '/2018-06-01/runtime';

function call(method: 'GET' | 'POST', at: string, body?: string): Promise<Answer> {
  const [hostname = '', port = ''] = (process.env['AWS_LAMBDA_RUNTIME_API'] ?? '').split(':');
  return new Promise((resolve, reject) => {
    // A frozen process finds no connection of before in working order.
    const request = http.request({ hostname, port, method, path: `${PATH}${at}`, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

function told(error: unknown): string {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return JSON.stringify({ errorType: name, errorMessage: message, trace: (stack ?? '').split('\n') });
}

async function load(folder: string): Promise<Handler> {
  try {
    const module: { handler?: Handler } = await import(pathToFileURL(path.join(folder, 'index.mjs')).href);
    if (module.handler === undefined) throw new Error(`${folder} exports no handler`);
    return module.handler;
  } catch (error) {
    await call('POST', '/init/error', told(error));
    process.exit(1);
  }
}

const handler = await load(process.env['LAMBDA_TASK_ROOT'] ?? '');
for (;;) {
  const { headers, body } = await call('GET', '/invocation/next');
  const id = String(headers['lambda-runtime-aws-request-id']);
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
  try {
    const answer = await handler(JSON.parse(body), context);
    await call('POST', `/invocation/${id}/response`, JSON.stringify(answer ?? null));
  } catch (error) {
    await call('POST', `/invocation/${id}/error`, told(error));
  }
}
