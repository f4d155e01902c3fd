// A proxy before an emulator, on loopback: it counts what passes, answers in the service's place where a test wants a fault, and
// gives an S3 emulator the ways of S3 Express: directory buckets with sessions, no StartAfter, and prefixes that end in `/`. It turns
// the pages of every listing round, as nobody may expect an order.

import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';

export type Fault =
  /** The service's answer: an error by its code, as XML (S3) or JSON (DynamoDB). */
  | { readonly answer: number; readonly code: string }
  /** The request takes effect, and its answer is lost. */
  | 'lost answer'
  /** Nothing comes back for so long that the client gives up; the request has no effect. */
  | 'silence';

export interface SeenRequest {
  /** As requests are signed for it: `s3`, `s3express`, `dynamodb`, `sqs`, …; empty where there is no signature. */
  readonly service: string;
  readonly operation: string;
  readonly path: string;
  /** Of its body, as its head says. */
  readonly bytes: number;
}

export interface Front {
  readonly endpoint: string;
  /** Asked once a request, with its method, its path and DynamoDB's operation. */
  fault: ((request: { method: string; path: string; operation: string }) => Fault | undefined) | undefined;
  /** Answers the next `count` requests of one operation with a fault, and no others. */
  failFirst(count: number, operation: string, fault: Fault): void;
  /** Requests by operation, as they came in. */
  readonly seen: Map<string, number>;
  /** Told of each request as it comes in, before any fault. */
  onRequest: ((request: SeenRequest) => void) | undefined;
  /** How much longer each request takes than the emulator alone would: what a service far away is like. */
  delayMs: ((request: SeenRequest) => number) | undefined;
  stop(): Promise<void>;
}

const SESSION_MS = 300_000;
/** The scope of a signature: key, day, region, service. */
const SIGNED_FOR = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//;
const DIRECTORY_BUCKET = /^\/[^/]+--x-s3(\/|$)/;

export async function startFront(backend: string): Promise<Front> {
  const target = new URL(backend);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  const sessions = new Map<string, number>();
  const front: { -readonly [Name in keyof Front]: Front[Name] } = {
    endpoint: '',
    fault: undefined,
    failFirst,
    seen: new Map(),
    onRequest: undefined,
    delayMs: undefined,
    stop,
  };
  const server = http.createServer((request, response) => {
    // The SDK puts an empty segment behind a bucket whose endpoint is an address.
    const url = new URL((request.url ?? '/').replaceAll(/\/{2,}/g, '/'), 'http://front');
    const operation = String(request.headers['x-amz-target'] ?? '').replace(/^.*\./, '') || s3Operation(request.method ?? '', url);
    front.seen.set(operation, (front.seen.get(operation) ?? 0) + 1);
    const seen = {
      service: SIGNED_FOR.exec(request.headers.authorization ?? '')?.[1] ?? '',
      operation,
      path: url.pathname,
      bytes: Number(request.headers['content-length'] ?? 0),
    };
    front.onRequest?.(seen);
    const fault = front.fault?.({ method: request.method ?? '', path: url.pathname, operation });
    if (fault === 'silence') return;
    if (typeof fault === 'object') return void refuse(request, response, fault.answer, fault.code, 'as the test wants it');
    if (DIRECTORY_BUCKET.test(url.pathname) && !passes(request, response, url, sessions)) return;
    const delayMs = front.delayMs?.(seen) ?? 0;
    const isLost = fault === 'lost answer';
    if (delayMs === 0) forward(request, response, url, isLost);
    else setTimeout(() => forward(request, response, url, isLost), delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  front.endpoint = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return front;

  function forward(request: IncomingMessage, response: ServerResponse, url: URL, isLost: boolean): void {
    // Whoever gave up while it waited here would hold a connection of the pool for ever.
    if (response.closed || response.destroyed) return;
    const headers = { ...request.headers };
    const out = http.request({
      hostname: target.hostname,
      port: target.port,
      method: request.method,
      path: url.pathname + url.search,
      headers,
      agent,
    });
    out.on('response', (answer) => {
      if (isLost) {
        answer.resume().on('end', () => response.destroy());
        return;
      }
      if (url.searchParams.has('list-type')) return void shuffled(answer, response);
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    out.on('error', () => response.destroy());
    response.on('close', () => out.destroy());
    request.pipe(out);
  }

  function failFirst(count: number, operation: string, fault: Fault): void {
    let left = count;
    front.fault = (request) => {
      if (request.operation !== operation || left === 0) return undefined;
      left -= 1;
      return fault;
    };
  }

  async function stop(): Promise<void> {
    server.closeAllConnections();
    server.close();
    agent.destroy();
    await once(server, 'close');
  }
}

/** What a directory bucket checks first. @returns whether the request goes on to the emulator */
function passes(request: IncomingMessage, response: ServerResponse, url: URL, sessions: Map<string, number>): boolean {
  if (request.method === 'GET' && url.searchParams.has('session')) {
    const id = `session-${sessions.size + 1}`;
    sessions.set(id, Date.now() + SESSION_MS);
    const until = new Date(Date.now() + SESSION_MS).toISOString();
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      `<?xml version="1.0"?><CreateSessionResult><Credentials><SessionToken>${id}</SessionToken><SecretAccessKey>s</SecretAccessKey>` +
        `<AccessKeyId>a</AccessKeyId><Expiration>${until}</Expiration></Credentials></CreateSessionResult>`,
    );
    return false;
  }
  const isOfBucket = /^\/[^/]+\/?$/.test(url.pathname) && request.method !== 'GET' && request.method !== 'POST';
  const until = sessions.get(String(request.headers['x-amz-s3session-token']));
  if (!isOfBucket && (until === undefined || until < Date.now())) {
    refuse(request, response, 403, 'AccessDenied', 'no live session');
    return false;
  }
  const prefix = url.searchParams.get('prefix') ?? '';
  if (url.searchParams.has('start-after') || (prefix !== '' && !prefix.endsWith('/'))) {
    refuse(request, response, 400, 'InvalidRequest', 'a directory bucket lists by prefixes that end in "/", and from no key');
    return false;
  }
  return true;
}

/** The objects of a page in another order. */
function shuffled(answer: IncomingMessage, response: ServerResponse): void {
  const parts: Buffer[] = [];
  answer.on('data', (part: Buffer) => parts.push(part));
  answer.on('end', () => {
    const text = Buffer.concat(parts).toString();
    const entries = text.match(/<Contents>.*?<\/Contents>/gs) ?? [];
    const turned = [...entries].reverse().sort((a, b) => a.length - b.length);
    let next = 0;
    const body = text.replaceAll(/<Contents>.*?<\/Contents>/gs, () => turned[next++] ?? '');
    const { 'content-length': _length, 'transfer-encoding': _encoding, ...headers } = answer.headers;
    response.writeHead(answer.statusCode ?? 502, headers);
    response.end(body);
  });
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number, code: string, message: string): void {
  request.resume();
  const isDynamo = request.headers['x-amz-target'] !== undefined;
  const body = isDynamo
    ? JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${code}`, message })
    : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  response.writeHead(status, { 'content-type': isDynamo ? 'application/x-amz-json-1.0' : 'application/xml' });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function s3Operation(method: string, url: URL): string {
  if (url.searchParams.has('session')) return 'CreateSession';
  if (url.searchParams.has('list-type')) return 'ListObjectsV2';
  if (url.searchParams.has('delete')) return 'DeleteObjects';
  const isOfBucket = /^\/[^/]*\/?$/.test(url.pathname);
  return `${method[0]}${method.slice(1).toLowerCase()}${isOfBucket ? 'Bucket' : 'Object'}`;
}
