// Serves HTTP/2 on connections that somebody else accepted: windows for whole sessions, and a bound to whatever a client may
// repeat for ever.
//
//   A20  A connection may have so many streams at once, and so many frames in a while that ask for nothing but an answer.
//
// Of floods of resets, CONTINUATION, empty and invalid frames the library under node takes care by itself.

import {
  constants,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Duplex } from 'node:stream';

const MIB = 1024 * 1024;

/** What a client may have on its way to us before we read it: one append session must fill a fast network. */
const STREAM_WINDOW_BYTES = 16 * MIB;
/** Twice that, so that one session that is not read does not stop the others of its connection. */
const CONNECTION_WINDOW_BYTES = 32 * MIB;
const STREAMS_MAX = 256;
/** From the last word to a connection without a stream to its end. */
const CLOSING_MS_MAX = 1_000;
/** Node refuses new streams above this: queued answers count, and a batch of a read session is up to 2 MiB. */
const SESSION_MEMORY_MIB = 512;
/** PING and SETTINGS of a connection: a client that keeps its connections alive sends a few a minute. */
const CONTROL_FRAMES_MAX = 1_000;
const CONTROL_FRAMES_MS = 10_000;
const STREAM_ID_MAX = 2 ** 31 - 1;
/** Clients with a session of S2 are advised by its frames, and leave by themselves; the others are asked to after this long. */
const ASK_TO_LEAVE_MS = 300;
/** What a client opened just before it left comes right behind its GOAWAY. */
const BEHIND_GOAWAY_MS = 100;

export interface Http2Options {
  readonly headerBytesMax: number;
  /** Without a stream. */
  readonly idleMsMax: number;
  handle(request: Http2ServerRequest, response: Http2ServerResponse): void;
}

export class Http2 {
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #idleMsMax: number;
  #isRetired = false;
  #isDraining = false;

  constructor({ headerBytesMax, idleMsMax, handle }: Http2Options) {
    this.#idleMsMax = idleMsMax;
    this.#server = createServer({
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: headerBytesMax },
      maxSessionMemory: SESSION_MEMORY_MIB,
    });
    const onRequest = (request: Http2ServerRequest, response: Http2ServerResponse): void => {
      if (headerBytes(request.rawHeaders) <= headerBytesMax) handle(request, response);
      else refuseHeaders(request, response);
    };
    this.#server.on('request', onRequest);
    // Node would answer these by itself, without a body.
    this.#server.on('checkExpectation', onRequest);
    this.#server.on('connect', onRequest);
    this.#server.on('session', (session) => this.#add(session));
    this.#server.on('sessionError', () => undefined);
  }

  serve(socket: Duplex): void {
    // HTTP/1 clients may close their half after a request; on HTTP/2 a closed half is a closed connection.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }

  /** Asks clients to take another connection for their next streams; those that are on their way already are served. */
  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    setTimeout(() => {
      for (const session of this.#sessions) askToLeave(session);
    }, ASK_TO_LEAVE_MS).unref();
  }

  /** No connection takes a new stream; each ends with its last one. */
  drain(): void {
    this.#isDraining = true;
    for (const session of this.#sessions) session.close();
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #add(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.on('error', () => session.destroy());
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    this.#closeWhenIdle(session);
    endFloods(session);
    serveBehindGoaway(session);
    if (this.#isDraining) session.close();
  }

  /** A connection without a stream for this long goes; one with streams stays, however quiet they are. */
  #closeWhenIdle(session: ServerHttp2Session): void {
    let openCount = 0;
    let timer: NodeJS.Timeout | undefined;
    const arm = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        session.close();
        // Half a frame of headers is a stream to the library, which waits for its end.
        timer = setTimeout(() => session.destroy(), CLOSING_MS_MAX);
        timer.unref();
      }, this.#idleMsMax);
      timer.unref();
    };
    arm();
    session.on('stream', (stream) => {
      openCount += 1;
      clearTimeout(timer);
      stream.once('close', () => {
        openCount -= 1;
        if (openCount === 0 && !session.closed) arm();
      });
    });
    session.once('close', () => clearTimeout(timer));
  }
}

/** A GOAWAY that refuses nothing: a final one would break streams that are on their way. Some clients break what they are just opening. */
function askToLeave(session: ServerHttp2Session): void {
  if (!session.destroyed && !session.closed) session.goaway(constants.NGHTTP2_NO_ERROR, STREAM_ID_MAX);
}

/**
 * Node closes a session as soon as its client said GOAWAY, and refuses what comes from then on. But libraries send GOAWAY before the
 * streams that their user opened in the same moment: those are served too, and the session ends with the last of them.
 */
function serveBehindGoaway(session: ServerHttp2Session): void {
  session.once('goaway', () => {
    const close = session.close.bind(session);
    // Node calls it next.
    session.close = () => undefined;
    setTimeout(() => {
      session.close = close;
      close();
    }, BEHIND_GOAWAY_MS).unref();
  });
}

/** Node tells clients of the bound, and takes what does not keep to it. */
function headerBytes(rawHeaders: readonly string[]): number {
  let bytes = 0;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

function refuseHeaders(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const body = JSON.stringify({ code: 'bad_header', message: 'the request has too many bytes of headers' });
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  response.writeHead(431, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(request.method === 'HEAD' ? '' : body);
  response.once('finish', () => request.stream.close());
}

/** A20: whoever asks for answers to nothing without end is cut. */
function endFloods(session: ServerHttp2Session): void {
  let count = 0;
  let since = performance.now();
  const onFrame = (): void => {
    const now = performance.now();
    if (now - since > CONTROL_FRAMES_MS) {
      since = now;
      count = 0;
    }
    count += 1;
    if (count !== CONTROL_FRAMES_MAX + 1 || session.destroyed) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  };
  session.on('ping', onFrame);
  session.on('remoteSettings', onFrame);
}
