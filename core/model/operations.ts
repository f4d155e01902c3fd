// The operations that an access token may allow, each at its level, and the groups that stand for several. (S2 v1 API, section 6.1.)

/** What an operation is asked of: it decides which names a token must cover. */
export type OperationLevel = 'account' | 'basin' | 'stream';

interface OperationKind {
  readonly level: OperationLevel;
  readonly access: 'read' | 'write';
}

/** A new operation does not compile until it has a place in a group. */
export const OPERATIONS = {
  'list-basins': { level: 'account', access: 'read' },
  'create-basin': { level: 'account', access: 'write' },
  'delete-basin': { level: 'account', access: 'write' },
  'reconfigure-basin': { level: 'account', access: 'write' },
  'get-basin-config': { level: 'basin', access: 'read' },
  'list-access-tokens': { level: 'account', access: 'read' },
  'issue-access-token': { level: 'account', access: 'write' },
  'revoke-access-token': { level: 'account', access: 'write' },
  'list-locations': { level: 'account', access: 'read' },
  'get-default-location': { level: 'account', access: 'read' },
  'set-default-location': { level: 'account', access: 'write' },
  'account-metrics': { level: 'account', access: 'read' },
  'basin-metrics': { level: 'basin', access: 'read' },
  'list-streams': { level: 'basin', access: 'read' },
  'create-stream': { level: 'basin', access: 'write' },
  'delete-stream': { level: 'basin', access: 'write' },
  'reconfigure-stream': { level: 'basin', access: 'write' },
  'get-stream-config': { level: 'stream', access: 'read' },
  'check-tail': { level: 'stream', access: 'read' },
  read: { level: 'stream', access: 'read' },
  'stream-metrics': { level: 'stream', access: 'read' },
  append: { level: 'stream', access: 'write' },
  trim: { level: 'stream', access: 'write' },
  fence: { level: 'stream', access: 'write' },
} as const satisfies Record<string, OperationKind>;

export type Operation = keyof typeof OPERATIONS;

export const OPERATION_NAMES = Object.keys(OPERATIONS) as readonly Operation[];

export function isOperation(name: string): name is Operation {
  return Object.hasOwn(OPERATIONS, name);
}

/** Which whole groups are allowed. */
export type OperationGroups = { readonly [Level in OperationLevel]: { readonly read: boolean; readonly write: boolean } };

export const NO_GROUPS: OperationGroups = {
  account: { read: false, write: false },
  basin: { read: false, write: false },
  stream: { read: false, write: false },
};

/** `operations` and all that the groups stand for. */
export function allowedOperations(operations: readonly Operation[], groups: OperationGroups): ReadonlySet<Operation> {
  const ofGroups = OPERATION_NAMES.filter((name) => groups[OPERATIONS[name].level][OPERATIONS[name].access]);
  return new Set([...operations, ...ofGroups]);
}
