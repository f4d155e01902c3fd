// Requests as they reach the fronts of emulators: by service and operation, and those for objects also by what the object is.

import type { SeenRequest } from '#test/support/aws/front.ts';

const NAMES: Readonly<Record<string, string>> = {
  dynamodb: 'DynamoDB',
  s3: 'S3',
  s3express: 'S3 Express',
  sqs: 'SQS',
  secretsmanager: 'Secrets Manager',
};
/** Requests of a session may be signed as those of S3. */
const DIRECTORY_BUCKET = /^\/[^/]+--x-s3(?:\/|$)/;
/** A key of S3 or S3 Express, behind its bucket. */
const AREA = /^\/[^/]+\/(chunks|segments)\/(?!zone$)/;

export type StorageService = 'S3' | 'S3 Express';
export type Area = 'chunks' | 'segments';

/** Undefined: neither chunk nor segment. */
export function areaOf(path: string): Area | undefined {
  return AREA.exec(path)?.[1] as Area | undefined;
}

interface Count {
  requests: number;
  bytes: number;
}

export class Ledger {
  readonly #byOperation = new Map<string, Map<string, number>>();
  readonly #byArea = new Map<string, Count>();

  add({ service, operation, path, bytes }: SeenRequest): void {
    const name = service === 's3' && DIRECTORY_BUCKET.test(path) ? 'S3 Express' : (NAMES[service] ?? service);
    const operations = this.#byOperation.get(name) ?? new Map<string, number>();
    this.#byOperation.set(name, operations);
    operations.set(operation, (operations.get(operation) ?? 0) + 1);
    const area = areaOf(path);
    if (area === undefined) return;
    const key = `${name} ${operation} ${area}`;
    const count = this.#byArea.get(key) ?? { requests: 0, bytes: 0 };
    this.#byArea.set(key, count);
    count.requests += 1;
    count.bytes += bytes;
  }

  of(service: string, operation: string): number {
    return this.#byOperation.get(service)?.get(operation) ?? 0;
  }

  objects(service: StorageService, operation: 'PutObject' | 'GetObject', area: Area): Readonly<Count> {
    return { ...(this.#byArea.get(`${service} ${operation} ${area}`) ?? { requests: 0, bytes: 0 }) };
  }

  /** All counts as they are now, for `since`. */
  snapshot(): ReadonlyMap<string, number> {
    const counts = [...this.#byOperation].flatMap(([service, operations]) =>
      [...operations].map(([operation, count]) => [`${service} ${operation}`, count] as const),
    );
    return new Map(counts);
  }

  /** What came since then, by service and operation. */
  since(before: ReadonlyMap<string, number>): readonly (readonly [name: string, count: number])[] {
    return [...this.snapshot()]
      .map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)
      .filter(([, count]) => count > 0)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
  }

  /** All requests of a service. */
  total(service: string): number {
    return [...(this.#byOperation.get(service)?.values() ?? [])].reduce((sum, count) => sum + count, 0);
  }

  /** One line a service. */
  lines(): readonly string[] {
    return [...this.#byOperation].toSorted().map(([service, operations]) => {
      const counts = [...operations].toSorted().map(([operation, count]) => `${operation} ${count}`);
      return `${service}: ${counts.join(', ')}`;
    });
  }
}
