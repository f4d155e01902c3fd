// What clients asked of the control plane, and what they were told.
//
// Each call began and ended at points of one total order. In fair weather every call ends, and no answer leaves its effect open.

/** What of a stream's configuration the calls are about: whether records must carry timestamps. Undefined: not said. */
export type Strict = boolean | undefined;

export interface BasinSettings {
  readonly onAppend: boolean;
  readonly onRead: boolean;
  /** The default of its streams. */
  readonly strict: Strict;
}

export type Operation =
  | { readonly kind: 'create basin'; readonly basin: string; readonly settings: BasinSettings; readonly token: string | undefined }
  | { readonly kind: 'ensure basin'; readonly basin: string; readonly settings: BasinSettings }
  | { readonly kind: 'change basin'; readonly basin: string; readonly settings: Partial<BasinSettings> }
  | { readonly kind: 'get basin'; readonly basin: string }
  /** `byOwner`: asked of the process that has the channels. */
  | { readonly kind: 'delete basin'; readonly basin: string; readonly byOwner: boolean }
  | { readonly kind: 'list basins' }
  | {
      readonly kind: 'create';
      readonly basin: string;
      readonly stream: string;
      readonly strict: Strict;
      readonly token: string | undefined;
    }
  | { readonly kind: 'ensure'; readonly basin: string; readonly stream: string; readonly strict: boolean }
  | { readonly kind: 'change'; readonly basin: string; readonly stream: string; readonly strict: boolean }
  | { readonly kind: 'get'; readonly basin: string; readonly stream: string }
  | { readonly kind: 'delete'; readonly basin: string; readonly stream: string }
  | { readonly kind: 'list'; readonly basin: string }
  /** One record, without a timestamp. `inSession`: in a session of the client's that may have been opened long before. */
  | { readonly kind: 'append'; readonly basin: string; readonly stream: string; readonly body: string; readonly inSession: boolean }
  /** From 0, clamped. */
  | { readonly kind: 'read'; readonly basin: string; readonly stream: string }
  | { readonly kind: 'tail'; readonly basin: string; readonly stream: string };

export type StreamOperation = Extract<Operation, { readonly stream: string }>;

export type Outcome =
  | { readonly kind: 'created' | 'updated' | 'noop' | 'done' }
  | { readonly kind: 'basin'; readonly settings: BasinSettings; readonly isDeleting: boolean }
  | { readonly kind: 'stream'; readonly strict: boolean }
  /** Names, those being deleted in brackets. */
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'appended'; readonly at: number }
  | { readonly kind: 'bodies'; readonly bodies: readonly string[] }
  | { readonly kind: 'tail'; readonly tail: number }
  /** Without an effect. */
  | { readonly kind: 'refused'; readonly code: string };

export interface Call {
  readonly client: number;
  readonly operation: Operation;
  readonly began: number;
  readonly ended: number;
  readonly outcome: Outcome;
}

export function callText({ client, operation, began, ended, outcome }: Call): string {
  const { kind, ...asked } = operation;
  const { kind: told, ...said } = outcome;
  return `[${began}, ${ended}] client ${client}: ${kind} ${JSON.stringify(asked)} -> ${told} ${JSON.stringify(said)}`;
}
