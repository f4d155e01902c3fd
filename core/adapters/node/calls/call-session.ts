// One HTTP/2 connection of a client of stores: by prior knowledge, or over TLS.

import http2, { type ClientHttp2Session } from 'node:http2';

const MIB = 1024 * 1024;
/** A whole chunk is on its way at once, and as many as a takeover reads in parallel. */
const STREAM_WINDOW_BYTES = 16 * MIB;
const CONNECTION_WINDOW_BYTES = 32 * MIB;
const CONNECT_MS_MAX = 2_000;
/** Chunks that wait to be sent to a slow server are bounded by who calls; node must not refuse them before. */
const SESSION_MEMORY_MIB = 512;

/** @throws Error saying why there is none, after at most `msMax` */
export function openSession(url: string, msMax: number, tls: { readonly ca?: string }): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(url, {
      ...tls,
      settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
      maxSessionMemory: SESSION_MEMORY_MIB,
    });
    const timer = setTimeout(() => session.destroy(new Error('it takes no connection')), Math.min(msMax, CONNECT_MS_MAX));
    session.on('error', (error) => reject(error));
    session.once('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection was closed'));
    });
    session.once('connect', () => {
      clearTimeout(timer);
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      // A connection without a call keeps no process alive.
      session.unref();
      resolve(session);
    });
  });
}
