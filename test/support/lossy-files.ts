// A disk in memory that forgets, when the power goes, whatever nobody synced: bytes of files as well as names in folders.
//
// Stricter than real ones, which often keep more: a name without syncFolder is lost, and so are bytes without sync.

import path from 'node:path';
import type { Files, FolderEntry, OpenFile, OpenOptions } from '#core/adapters/node/files.ts';

interface FileNode {
  readonly kind: 'file';
  bytes: Uint8Array;
  durable: Uint8Array;
}

interface FolderNode {
  readonly kind: 'folder';
  names: Map<string, Node>;
  durable: Map<string, Node>;
}

type Node = FileNode | FolderNode;

export interface LossyDisk {
  readonly files: Files;
  /** Cuts the power: only what was synced is left, and every open file is dead. */
  crash(): void;
  /** The next call of this kind fails with this code, `count` times. */
  fail(operation: keyof Files | 'write' | 'sync', code: string, count?: number): void;
}

function failure(code: string, target: string): Error {
  return Object.assign(new Error(`${code}: ${target}`), { code });
}

function newFolder(): FolderNode {
  return { kind: 'folder', names: new Map(), durable: new Map() };
}

/** A disk with an empty, durable folder `root`. */
export function lossyDisk(root: string): LossyDisk {
  const top = newFolder();
  const faults = new Map<string, { code: string; count: number }>();
  let life = 0;

  function check(operation: string, target: string): void {
    const fault = faults.get(operation);
    if (fault === undefined || fault.count === 0) return;
    fault.count -= 1;
    throw failure(fault.code, target);
  }
  function namesOf(target: string): string[] {
    const relative = path.relative(root, target);
    return relative === '' ? [] : relative.split(path.sep);
  }
  function find(target: string): Node {
    let node: Node = top;
    for (const name of namesOf(target)) {
      if (node.kind === 'file') throw failure('ENOTDIR', target);
      const next = node.names.get(name);
      if (next === undefined) throw failure('ENOENT', target);
      node = next;
    }
    return node;
  }
  function folder(target: string): FolderNode {
    const node = find(target);
    if (node.kind === 'file') throw failure('ENOTDIR', target);
    return node;
  }
  function file(target: string): FileNode {
    const node = find(target);
    if (node.kind === 'folder') throw failure('EISDIR', target);
    return node;
  }

  function opened(node: FileNode, options: OpenOptions, target: string): OpenFile {
    const born = life;
    const alive = (operation: string): void => {
      if (born !== life) throw failure('EIO', `${target}: the power was cut`);
      check(operation, target);
    };
    return {
      fd: -1,
      async read(into, at) {
        alive('read');
        const part = node.bytes.subarray(at, at + into.length);
        into.set(part);
        return part.length;
      },
      async write(parts, at) {
        alive('write');
        let offset = at;
        for (const part of parts) {
          node.bytes = written(node.bytes, part, offset);
          if (options.isSynced === true) node.durable = written(node.durable, part, offset);
          offset += part.length;
        }
      },
      async size() {
        return node.bytes.length;
      },
      async truncate(bytes) {
        alive('truncate');
        const cut = new Uint8Array(bytes);
        cut.set(node.bytes.subarray(0, bytes));
        node.bytes = cut;
      },
      async sync() {
        alive('sync');
        node.durable = node.bytes.slice();
      },
      async close() {},
    };
  }

  const files: Files = {
    async open(target, options) {
      check('open', target);
      if (options.create !== 'new') return opened(file(target), options, target);
      const parent = folder(path.dirname(target));
      if (parent.names.has(path.basename(target))) throw failure('EEXIST', target);
      const node: FileNode = { kind: 'file', bytes: new Uint8Array(0), durable: new Uint8Array(0) };
      parent.names.set(path.basename(target), node);
      return opened(node, options, target);
    },
    async link(from, to) {
      check('link', to);
      const parent = folder(path.dirname(to));
      if (parent.names.has(path.basename(to))) throw failure('EEXIST', to);
      parent.names.set(path.basename(to), file(from));
    },
    async rename(from, to) {
      check('rename', to);
      const node = find(from);
      folder(path.dirname(to)).names.set(path.basename(to), node);
      folder(path.dirname(from)).names.delete(path.basename(from));
    },
    async unlink(target) {
      check('unlink', target);
      file(target);
      folder(path.dirname(target)).names.delete(path.basename(target));
    },
    async makeFolder(target) {
      check('makeFolder', target);
      if (path.relative(root, target) === '') throw failure('EEXIST', target);
      const parent = folder(path.dirname(target));
      if (parent.names.has(path.basename(target))) throw failure('EEXIST', target);
      parent.names.set(path.basename(target), newFolder());
    },
    async removeFolder(target) {
      check('removeFolder', target);
      if (folder(target).names.size > 0) throw failure('ENOTEMPTY', target);
      folder(path.dirname(target)).names.delete(path.basename(target));
    },
    async removeTree(target) {
      check('removeTree', target);
      try {
        folder(path.dirname(target)).names.delete(path.basename(target));
      } catch {
        // What is not there need not be removed.
      }
    },
    async entries(target) {
      check('entries', target);
      const found: FolderEntry[] = [];
      for (const [name, node] of folder(target).names) found.push({ name, isFolder: node.kind === 'folder' });
      return found;
    },
    async sizeOf(target) {
      check('sizeOf', target);
      return file(target).bytes.length;
    },
    freeBytes: async () => Number.MAX_SAFE_INTEGER,
    async syncFolder(target) {
      check('syncFolder', target);
      // The parent of the root is outside of this disk.
      if (path.relative(root, target).startsWith('..')) return;
      const node = folder(target);
      node.durable = new Map(node.names);
    },
  };
  return {
    files,
    crash() {
      life += 1;
      forget(top);
    },
    fail: (operation, code, count = 1) => void faults.set(operation, { code, count }),
  };
}

function forget(node: Node): void {
  if (node.kind === 'file') {
    node.bytes = node.durable.slice();
    return;
  }
  node.names = new Map(node.durable);
  for (const below of node.names.values()) forget(below);
}

function written(bytes: Uint8Array, part: Uint8Array, at: number): Uint8Array {
  if (at + part.length <= bytes.length) {
    bytes.set(part, at);
    return bytes;
  }
  const longer = new Uint8Array(at + part.length);
  longer.set(bytes);
  longer.set(part, at);
  return longer;
}
