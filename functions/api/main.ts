// The control plane as a function behind a URL of its own: basins, streams, tokens and metrics by metadata alone; what has to be in
// order with appends is passed on to the cell's tasks. Sessions, which last, are for the tasks alone.

import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { createLog } from '#core/adapters/node/event-log.ts';
import { readApiSettings } from './env.ts';
import { answerOf, requestOf } from './event.ts';
import { type ApiHost, openApi } from './host.ts';
import { refusedSession } from './sessions.ts';

const settings = readApiSettings(process.env);
const log = createLog();
let opening: Promise<ApiHost> | undefined;

export async function handler(event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  const request = requestOf(event);
  const refusal = refusedSession(request, settings.cellUrl);
  if (refusal !== undefined) return refusal;
  opening ??= openApi(settings, log).catch((error: unknown) => {
    // The next invocation tries again.
    opening = undefined;
    throw error;
  });
  const host = await opening;
  const { status, headers, body } = await host.ask(request);
  await host.flush().catch((error: unknown) => log.warn({ event: 'job.failed', job: 'usage', err: error }));
  return answerOf(status, headers, body);
}
