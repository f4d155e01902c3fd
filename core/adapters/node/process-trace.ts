// What happens inside, told to the log (pino, JSON lines on standard error) and counted for /metrics (prom-client).

import type { Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Trace } from '../../ports/trace.ts';
import { createLog, logEvent } from './event-log.ts';

/** From an append that shares a chunk to a read that waits; sessions last longer. */
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface ProcessTrace extends Trace {
  readonly log: Logger;
  /** One request, answered: its method, its route's pattern, the answer's status, and how long it took. */
  request(method: string, route: string, status: number, seconds: number): void;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** A value that is read when it is asked for. */
  gauge(name: string, help: string, labels: Readonly<Record<string, string>>, read: () => number): void;
}

export function createProcessTrace(): ProcessTrace {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const log = createLog();
  const events = new Counter({ name: 'millrace_events_total', help: 'Events by name', labelNames: ['event'], registers: [registry] });
  const requests = new Histogram({
    name: 'millrace_request_seconds',
    help: 'Requests by method, route and status, and how long their answers took (sessions: how long they were open)',
    labelNames: ['method', 'route', 'status'],
    buckets: REQUEST_SECONDS,
    registers: [registry],
  });
  const gauges = new Map<string, { labels: Readonly<Record<string, string>>; read: () => number }[]>();
  return {
    log,
    event(name, fields) {
      events.inc({ event: name });
      logEvent(log, name, fields);
    },
    request: (method, route, status, seconds) => requests.observe({ method, route, status }, seconds),
    metrics: () => registry.metrics(),
    gauge(name, help, labels, read) {
      const known = gauges.get(name);
      if (known !== undefined) {
        known.push({ labels, read });
        return;
      }
      const readers = [{ labels, read }];
      gauges.set(name, readers);
      new Gauge({
        name,
        help,
        labelNames: Object.keys(labels),
        registers: [registry],
        collect() {
          for (const reader of readers) this.set(reader.labels, reader.read());
        },
      });
    },
  };
}
