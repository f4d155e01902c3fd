// Loads the product with bugs in it: a module hook that edits sources on their way in. Nothing else in this repository registers hooks.
//
// A variant (names of bugs, with commas between them) is chosen for everything that a process loads, or, by a query, for one entry and
// all that it imports: so one process can hold many variants of the product side by side, each with modules of its own.

import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { editsOf } from './bugs.ts';
import { type Edit, edited } from './planted-bug.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const ROOT_URL = pathToFileURL(`${ROOT}/`).href;
const QUERY = '?planted=';

/** Sources without types, of files that no bug touches. */
const stripped = new Map<string, string>();
/** Files that were changed, by variant. */
const changed = new Map<string, Set<string>>();

/** @param everywhere the variant of all modules that no query says otherwise of. */
export function registerLoader(everywhere?: string): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const variant = variantOf(context.parentURL) ?? everywhere;
      if (variant === undefined || !isOurs(resolved.url) || variantOf(resolved.url) !== undefined) return resolved;
      return { ...resolved, url: `${resolved.url}${QUERY}${variant}` };
    },
    load(url, context, nextLoad) {
      const variant = variantOf(url);
      if (variant === undefined || !isOurs(url)) return nextLoad(url, context);
      return { format: 'module', source: sourceOf(fileURLToPath(url.slice(0, url.indexOf(QUERY))), variant), shortCircuit: true };
    },
  });
}

/** Imports a file of the repository, and all that it imports, with the variant's bugs. */
export async function importVariant<T>(file: string, variant: string): Promise<T> {
  const module: T = await import(`${pathToFileURL(path.join(ROOT, file)).href}${QUERY}${variant}`);
  for (const edit of editsOf(variant)) {
    if (!changed.get(variant)?.has(edit.file)) throw new Error(`${variant}: ${edit.file} was never loaded`);
  }
  return module;
}

/** Every file that the variant changes, as it is then. @throws Error when an edit no longer finds its place. */
export function changedSources(variant: string): ReadonlyMap<string, string> {
  const edits = editsOf(variant);
  const files = [...new Set(edits.map(({ file }) => file))];
  return new Map(files.map((file) => [file, edited(readFileSync(path.join(ROOT, file), 'utf8'), editsIn(file, edits))]));
}

function editsIn(file: string, edits: readonly Edit[]): readonly Edit[] {
  return edits.filter((edit) => edit.file === file);
}

function variantOf(url: string | undefined): string | undefined {
  const at = url?.indexOf(QUERY) ?? -1;
  return at < 0 ? undefined : url?.slice(at + QUERY.length);
}

function isOurs(url: string): boolean {
  return url.startsWith(ROOT_URL) && !url.includes('/node_modules/') && !url.includes('/test/sim/planted/');
}

function sourceOf(file: string, variant: string): string {
  const name = path.relative(ROOT, file).split(path.sep).join('/');
  const edits = editsIn(name, editsOf(variant));
  const known = edits.length === 0 ? stripped.get(file) : undefined;
  if (known !== undefined) return known;
  const source = stripTypeScriptTypes(edited(readFileSync(file, 'utf8'), edits));
  if (edits.length === 0) stripped.set(file, source);
  else changed.set(variant, (changed.get(variant) ?? new Set()).add(name));
  return source;
}
