// What no compiler and no linter checks here: layers, sizes, heads of files, the glossary, and the table of invariants.
//
// Every check asserts first that it saw files, because a check that sees nothing passes.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = path.join(import.meta.dirname, '..');
const FILE_LINES_MAX = 400;
/** Test files: a suite of one subject may be longer than the subject. */
const TEST_LINES_MAX = 600;

interface Source {
  /** Path from the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

function sourcesUnder(...folders: string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|mjs)$/.test(name) && !name.endsWith('.d.ts') && !name.split(path.sep).includes('node_modules'))
      .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
      .sort()
      .map((file) => ({ path: file, text: readFileSync(path.join(ROOT, file), 'utf8') })),
  );
}

interface Import {
  readonly specifier: string;
  readonly isTypeOnly: boolean;
}

function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  for (const match of source.text.matchAll(/^(?:import|export)\s+(type\s+)?[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]/gm)) {
    imports.push({ specifier: match[2] ?? '', isTypeOnly: match[1] !== undefined });
  }
  for (const match of source.text.matchAll(/^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm)) {
    imports.push({ specifier: match[1] ?? match[2] ?? '', isTypeOnly: false });
  }
  return imports;
}

/** The file that an import means, from the root; undefined for a package. */
function targetOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(from), specifier);
  return undefined;
}

function layerOf(file: string): string {
  if (file.startsWith('core/api/http/')) return 'api/http';
  const [top, second] = file.split('/');
  return top === 'core' ? (second ?? '') : (top ?? '');
}

function layerTable(): Map<string, ReadonlySet<string>> {
  const text = readFileSync(path.join(ROOT, 'docs/architecture.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (?!layer)([a-z/]+) \| ([a-z/, –]+) \|$/gm)];
  return new Map(
    rows.map((row) => [
      row[1] ?? '',
      new Set(
        (row[2] ?? '')
          .split(',')
          .map((name) => name.trim())
          .filter((name) => name !== '–'),
      ),
    ]),
  );
}

const OUTSIDE_THE_WALL = new Set(['api/http', 'adapters', 'functions', 'edge', 'stacks']);

function refusedImports(source: Source, table: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const from = layerOf(source.path);
  return importsOf(source).flatMap(({ specifier }) => {
    const target = targetOf(source.path, specifier);
    if (target === undefined) return OUTSIDE_THE_WALL.has(from) ? [] : [`${source.path}: ${specifier} (no package inside the wall)`];
    const to = layerOf(target);
    return to === from || table.get(from)?.has(to) ? [] : [`${source.path}: ${specifier} (${from} may not import ${to})`];
  });
}

const product = sourcesUnder('core', 'functions', 'edge', 'stacks');
const everything = [...product, ...sourcesUnder('test', 'bench', 'docs/examples', 'docs/guides')];

describe('layers', () => {
  const table = layerTable();
  const layered = product.filter((source) => source.path.endsWith('.ts') && source.path !== 'core/globals.d.ts');

  test('the table names every layer, and only layers that it defines', () => {
    expect(table.size).toBeGreaterThanOrEqual(16);
    for (const [layer, allowed] of table) {
      for (const name of allowed) expect(table.has(name), `${layer} may import ${name}, which the table does not define`).toBe(true);
    }
    expect(layered.length).toBeGreaterThan(20);
    for (const source of layered) expect(table.has(layerOf(source.path)), `${source.path} lies in no layer of the table`).toBe(true);
  });

  test('every import points where the table allows', () => {
    let seen = 0;
    const refused: string[] = [];
    for (const source of layered) {
      for (const { specifier } of importsOf(source)) {
        const target = targetOf(source.path, specifier);
        if (target !== undefined) seen += 1;
        if (target !== undefined && !existsSync(path.join(ROOT, target))) refused.push(`${source.path}: ${specifier} (no such file)`);
      }
      refused.push(...refusedImports(source, table));
    }
    expect(seen).toBeGreaterThan(50);
    expect(refused).toEqual([]);
  });

  test('the command line reaches the store over HTTP alone; only `start` runs the server', () => {
    const cli = product.filter((source) => source.path.startsWith('functions/cli/'));
    expect(cli.length).toBeGreaterThan(10);
    const beyond = cli.flatMap((source) =>
      importsOf(source)
        .map(({ specifier }) => targetOf(source.path, specifier))
        .filter((target) => target !== undefined && !target.startsWith('functions/cli/'))
        .map((target) => `${source.path}: ${target}`),
    );
    expect(beyond).toEqual([
      'functions/cli/millrace.mjs: functions/local/node-version.mjs',
      'functions/cli/start.ts: functions/local/main.ts',
    ]);
  });

  test('the Worker imports nothing of Node, and no package but hono and jose', () => {
    const edge = product.filter((source) => source.path.startsWith('edge/') && source.path !== 'edge/vitest.config.ts');
    expect(edge.length).toBeGreaterThan(10);
    const packages = edge.flatMap((source) =>
      importsOf(source).flatMap(({ specifier }) => (targetOf(source.path, specifier) === undefined ? [specifier] : [])),
    );
    expect([...new Set(packages)].sort()).toEqual(['hono', 'hono/cors', 'hono/router/reg-exp-router', 'jose']);
  });

  test('core imports its own files by relative paths', () => {
    const aliased = layered.filter(
      (source) => source.path.startsWith('core/') && importsOf(source).some((one) => one.specifier.startsWith('#')),
    );
    expect(aliased.map((source) => source.path)).toEqual([]);
  });

  test('no file imports itself through others', () => {
    const files = new Map(everything.map((source) => [source.path, source]));
    const edges = new Map<string, string[]>();
    for (const source of files.values()) {
      const targets = importsOf(source)
        .filter((one) => !one.isTypeOnly)
        .map((one) => targetOf(source.path, one.specifier));
      edges.set(
        source.path,
        targets.filter((target): target is string => target !== undefined && files.has(target)),
      );
    }
    expect([...edges.values()].flat().length).toBeGreaterThan(50);
    expect(findCycle(edges)).toBeUndefined();
  });
});

/** One cycle as `a → b → a`, or undefined. */
function findCycle(edges: ReadonlyMap<string, readonly string[]>): string | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  function visit(node: string): string | undefined {
    if (done.has(node)) return undefined;
    const at = trail.indexOf(node);
    if (at >= 0) return [...trail.slice(at), node].join(' → ');
    trail.push(node);
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    done.add(node);
    return undefined;
  }
  for (const node of edges.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

describe('files', () => {
  test('the search for cycles finds one where there is one', () => {
    expect(
      findCycle(
        new Map([
          ['a', ['b']],
          ['b', ['c']],
          ['c', ['b']],
        ]),
      ),
    ).toBe('b → c → b');
    expect(
      findCycle(
        new Map([
          ['a', ['b', 'c']],
          ['b', ['c']],
        ]),
      ),
    ).toBeUndefined();
  });

  test(`none is longer than ${FILE_LINES_MAX} lines`, () => {
    expect(everything.length).toBeGreaterThan(40);
    const long = everything
      .map((source) => ({ path: source.path, lines: source.text.split('\n').length - 1 }))
      .filter((file) => file.lines > (file.path.startsWith('test/') ? TEST_LINES_MAX : FILE_LINES_MAX));
    expect(long).toEqual([]);
  });

  test('every file of the product opens by saying what it decides', () => {
    const silent = product.filter((source) => !/^(?:#!.*\n)?(?:\/\/|\/\*\*(?:\n \*)?) \S/.test(source.text));
    expect(silent.map((source) => source.path)).toEqual([]);
  });

  test('names are in kebab-case', () => {
    const odd = everything.filter((source) => !source.path.split('/').every((part) => /^[a-z0-9]+([.-][a-z0-9]+)*$/.test(part)));
    expect(odd.map((source) => source.path)).toEqual([]);
  });
});

// The glossary's banned compounds. Adapters and wire speak the words of their protocols.
const BANNED =
  /\b\w*(?:[oO]ffsetOf|lastOffset|LastOffset|brokerId|BrokerId|logEntry|LogEntry|topicName|TopicName|partitionId|highWatermark|HighWatermark|leaderEpoch)\w*\b/g;

const MARKS = /\b(TO(?:)DO|FIX(?:)ME|X(?:)XX)\b(?!.*#\d+)/g;

// Hosts that an installation came from, and absolute paths: true on one machine only.
const LOCAL = /\bregistry\.(?:npmjs|yarnpkg)\.\w+|"resolve[d]": "|(?<![\w.])\/(?:work|root|home|Users)\/\w+/g;

const ROOT_FILES = [
  'package.json',
  'package-lock.json',
  '.npmrc',
  'edge/package.json',
  'edge/package-lock.json',
  'edge/.npmrc',
  'README.md',
  'docs/architecture.md',
  'docs/protocol.md',
];

function rootFile(name: string): Source {
  return { path: name, text: readFileSync(path.join(ROOT, name), 'utf8') };
}

function occurrences(pattern: RegExp, source: Source): string[] {
  return [...source.text.matchAll(pattern)].map((match) => `${source.path}: ${match[0]}`);
}

describe('words', () => {
  test('core uses no word that the glossary bans', () => {
    const speaking = product.filter((source) => source.path.startsWith('core/') && !/^core\/(wire|adapters)\//.test(source.path));
    expect(speaking.length).toBeGreaterThan(20);
    const found = speaking.flatMap((source) => occurrences(BANNED, source));
    expect(found).toEqual([]);
  });

  test('nothing is left to do without an issue', () => {
    expect(everything.flatMap((source) => occurrences(MARKS, source))).toEqual([]);
  });

  test('no file names a registry or a path of the machine it was written on', () => {
    const texts = [...everything, ...sourcesUnder('.ci'), ...ROOT_FILES.map(rootFile)];
    expect(texts.length).toBeGreaterThan(40);
    expect(texts.flatMap((source) => occurrences(LOCAL, source))).toEqual([]);
  });
});

interface ProtocolRow {
  readonly id: string;
  readonly file: string;
  readonly test: string;
}

/** Rows `| C1 | rule | core/chunk/… | test/core/… |`. */
function protocolRows(): ProtocolRow[] {
  const text = readFileSync(path.join(ROOT, 'docs/protocol.md'), 'utf8');
  return [...text.matchAll(/^\| ([A-Z]\d+) \| .+ \| ([^|]+) \| ([^|]+) \|$/gm)].map((row) => ({
    id: row[1] ?? '',
    file: (row[2] ?? '').replaceAll('`', '').trim(),
    test: (row[3] ?? '').replaceAll('`', '').trim(),
  }));
}

/** Whether some file that `cell` names (`chunk/writer.ts` means core's, `test/core/chunk/writer.test.ts: title`) holds `id`. */
function namesFileWith(cell: string, id: string): boolean {
  const files = (cell.match(/[\w./-]+\.(?:ts|mjs)/g) ?? []).flatMap((file) => [file, path.posix.join('core', file)]);
  return files.some(
    (file) => existsSync(path.join(ROOT, file)) && new RegExp(`\\b${id}\\b`).test(readFileSync(path.join(ROOT, file), 'utf8')),
  );
}

describe('invariants', () => {
  test('every row of docs/protocol.md occurs in the file that enforces it and in the test that it names', () => {
    const rows = protocolRows();
    expect(rows.length).toBeGreaterThan(20);
    expect(new Set(rows.map((row) => row.id)).size, 'an id stands twice').toBe(rows.length);
    const lost = rows.flatMap((row) => [
      ...(namesFileWith(row.file, row.id) ? [] : [`${row.id}: not in ${row.file}`]),
      ...(namesFileWith(row.test, row.id) ? [] : [`${row.id}: not tested in ${row.test}`]),
    ]);
    expect(lost).toEqual([]);
  });

  test('every id that core names in an invariant or in the head of a file stands in docs/protocol.md', () => {
    const known = new Set(protocolRows().map((row) => row.id));
    const used = product.flatMap((source) => [
      ...[...source.text.matchAll(/['"`]([A-Z]\d+): /g)].map((match) => ({ id: match[1] ?? '', path: source.path })),
      ...[...source.text.matchAll(/^\/\/ {2,}([A-Z]\d+) {2}\S/gm)].map((match) => ({ id: match[1] ?? '', path: source.path })),
    ]);
    expect(used.length).toBeGreaterThan(20);
    expect([...new Set(used.filter((one) => !known.has(one.id)).map((one) => `${one.path}: ${one.id}`))]).toEqual([]);
  });
});

// Module hooks that change sources while they are loaded, and whatever else could put them in place.
const HOOKS = /\bregisterHooks\b|\bmodule\.register\b|\bstripTypeScriptTypes\b|--(?:experimental-)?loader\b/g;
/** Ways in which a script, or an image, could put them there: by a module that is loaded first, or by the switch that names a bug. */
const WAYS_IN = /--import\b|--require\b|\bnode\b[^\n]*\s-r\s|\bNODE_OPTIONS\b|\bPLANTED\b|sim\/planted/g;

describe('planted bugs', () => {
  const isPlanted = (source: Source): boolean => source.path.startsWith('test/sim/planted/');

  test('nothing but test/sim/planted changes a source while it is loaded', () => {
    expect(everything.filter(isPlanted).flatMap((source) => occurrences(HOOKS, source)).length).toBeGreaterThan(0);
    const others = everything.filter((source) => !isPlanted(source) && source.path !== 'test/tidy.test.ts');
    expect(others.flatMap((source) => occurrences(HOOKS, source))).toEqual([]);
    const { scripts } = JSON.parse(rootFile('package.json').text) as { scripts: Record<string, string> };
    expect(Object.values(scripts).filter((script) => script.match(HOOKS) !== null || script.match(WAYS_IN) !== null)).toEqual([]);
  });

  test('no host loads a module ahead of its own, by a flag or by the environment', () => {
    expect(product.flatMap((source) => occurrences(WAYS_IN, source))).toEqual([]);
    const files = ['.npmrc', '.ci/run', 'vitest.config.ts'].filter((file) => existsSync(path.join(ROOT, file)));
    expect(files.length).toBeGreaterThan(1);
    expect(files.flatMap((file) => occurrences(WAYS_IN, rootFile(file)))).toEqual([]);
    for (const way of [
      'node --import ./x.ts main.ts',
      'NODE_OPTIONS=--require=x node main.ts',
      'PLANTED=x node main.ts',
      'node -r ./x.cjs main.ts',
    ]) {
      expect(way.match(WAYS_IN), way).not.toBeNull();
    }
    expect('node --max-semi-space-size=128 functions/local/main.ts'.match(WAYS_IN)).toBeNull();
  });

  test('the product mentions them nowhere, and has no switch for them', () => {
    expect(product.flatMap((source) => occurrences(/\bplanted\b|\bPLANTED\b/gi, source))).toEqual([]);
  });
});

describe('the checks themselves', () => {
  const TABLE = new Map([
    ['base', new Set<string>()],
    ['channel', new Set(['base'])],
    ['adapters', new Set(['base'])],
  ]);
  const planted = (file: string, text: string): Source => ({ path: file, text });

  test('an import that points up is seen, however it is written', () => {
    const forms = [
      "import { a } from '../channel/a.ts';",
      "import type { A } from '#core/channel/a.ts';",
      "import {\n  a,\n  b,\n} from '../channel/a.ts';",
      "export { a } from '../channel/a.ts';",
      "export * from '../channel/a.ts';",
      "import '../channel/a.ts';",
      "const a = await import('../channel/a.ts');",
    ];
    for (const form of forms) expect(refusedImports(planted('core/base/b.ts', form), TABLE), form).toHaveLength(1);
    expect(refusedImports(planted('core/channel/b.ts', "import { a } from '../base/a.ts';"), TABLE)).toEqual([]);
  });

  test('a package is refused inside the wall, and taken outside it', () => {
    for (const specifier of ['zod', 'node:fs']) {
      const text = `import { a } from '${specifier}';`;
      expect(refusedImports(planted('core/base/b.ts', text), TABLE)).toHaveLength(1);
      expect(refusedImports(planted('core/adapters/node/b.ts', text), TABLE)).toEqual([]);
    }
  });

  test('words, marks and local paths are found where they stand, and only there', () => {
    const count = (pattern: RegExp, text: string): number => occurrences(pattern, planted('core/base/b.ts', text)).length;
    expect(count(BANNED, `let ${'last'}Offset = 0; type ${'Log'}Entry = 1; f(the${'High'}Watermark);`)).toBe(3);
    expect(count(BANNED, 'const commitPoint = tail; const byteOffset = 1;')).toBe(0);
    expect(count(MARKS, `// ${'TO'}DO: later\n// ${'TO'}DO(#12): later`)).toBe(1);
    expect(count(LOCAL, `open('${'/wo'}rk/main'); fetch('https://registry${'.npm'}js.org/x');`)).toBe(2);
    expect(count(LOCAL, "import { a } from './work/a.ts'; get('/v1/streams');")).toBe(0);
  });
});
