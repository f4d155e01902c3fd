// The web-standard globals that the core may use, and nothing else of the host.
//
// Declared by hand, in the subset that Node and Workers agree on. Left out on purpose: AbortSignal.timeout (time comes
// through the Clock port), fetch, URL, timers, console, crypto. Only core/tsconfig.json includes this file; the root
// project takes the same names from Node's types.

interface TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
  /** Writes as many whole characters as fit; `read` counts UTF-16 units of `source`, `written` counts bytes. */
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}

declare var TextEncoder: {
  prototype: TextEncoder;
  new (): TextEncoder;
};

interface TextDecoder {
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  /** With `fatal`, throws TypeError on bytes that are not valid in the encoding. */
  decode(input?: ArrayBufferLike | ArrayBufferView, options?: { stream?: boolean }): string;
}

declare var TextDecoder: {
  prototype: TextDecoder;
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};

interface AbortSignal {
  readonly aborted: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: any value may be thrown, and Node declares the same.
  readonly reason: any;
  throwIfAborted(): void;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

declare var AbortSignal: {
  prototype: AbortSignal;
  abort(reason?: unknown): AbortSignal;
  any(signals: Iterable<AbortSignal>): AbortSignal;
};

interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare var AbortController: {
  prototype: AbortController;
  new (): AbortController;
};
