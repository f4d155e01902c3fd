// Whether the process of a container is alive: 0 if its port answers HTTP, whatever it answers, and else 1. Whether it serves is
// another question (`GET /health`), which the load balancer asks: a task that waits for a lease is alive.

import http from 'node:http';
import https from 'node:https';

const TIMEOUT_MS = 4_000;
const { PORT = '8080', MILLRACE_TLS_CERT } = process.env;
const options = { host: '127.0.0.1', port: PORT, path: '/health', timeout: TIMEOUT_MS };

function end(code) {
  process.exit(code);
}

const request = MILLRACE_TLS_CERT
  ? // Nobody is believed or told anything here.
    https.get({ ...options, rejectUnauthorized: false })
  : http.get(options);
request.on('response', () => end(0));
request.on('error', () => end(1));
request.on('timeout', () => end(1));
