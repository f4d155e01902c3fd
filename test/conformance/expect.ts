// What an answer must look like: plain JSON is compared exactly, and a Matcher stands wherever more than one value is right.

import { printJson } from './json.ts';

/** Values saved by earlier steps of a case, by name; strings mention them as {name}. */
export type Scope = Map<string, unknown>;

export type Expected = Matcher | null | boolean | number | bigint | string | readonly Expected[] | { readonly [key: string]: Expected };

export interface Matcher {
  readonly [MATCHER]: string;
  /** What is wrong, or nothing. */
  problems(actual: unknown, scope: Scope, path: string): string[];
}

const MATCHER = Symbol('matcher');

function matcher(what: string, holds: (actual: unknown, scope: Scope) => boolean): Matcher {
  return {
    [MATCHER]: what,
    problems: (actual, scope, path) => (holds(actual, scope) ? [] : [`${path}: expected ${what}, got ${show(actual)}`]),
  };
}

function isMatcher(value: unknown): value is Matcher {
  return typeof value === 'object' && value !== null && MATCHER in value;
}

function isWhole(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}

export const anything = matcher('anything', (actual) => actual !== undefined);
export const absent = matcher('nothing', (actual) => actual === undefined);
export const text = matcher('a string', (actual) => typeof actual === 'string');
export const someText = matcher('a string that is not empty', (actual) => typeof actual === 'string' && actual !== '');
export const boolean = matcher('a boolean', (actual) => typeof actual === 'boolean');
export const number = matcher(
  'a number',
  (actual) => typeof actual === 'bigint' || (typeof actual === 'number' && Number.isFinite(actual)),
);
export const u64 = matcher('a whole number of 64 bits', (actual) => isWhole(actual) && BigInt(actual) >= 0n && BigInt(actual) < 1n << 64n);
export const time = matcher(
  'a time as RFC 3339 in UTC',
  (actual) =>
    typeof actual === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/.test(actual) &&
    !Number.isNaN(Date.parse(actual.replace(/(\.\d{3})\d+/, '$1'))),
);

export function atLeast(low: number): Matcher {
  return matcher(`a number from ${low} up`, (actual) => isWhole(actual) && actual >= low);
}

export function matching(pattern: RegExp): Matcher {
  return matcher(`text like ${pattern}`, (actual) => typeof actual === 'string' && pattern.test(actual));
}

export function oneOf(...choices: readonly Expected[]): Matcher {
  return {
    [MATCHER]: 'one of several',
    problems: (actual, scope, path) =>
      choices.some((choice) => compare(choice, actual, scope, path).length === 0)
        ? []
        : [`${path}: expected one of ${choices.map((choice) => show(choice)).join(', ')}, got ${show(actual)}`],
  };
}

/** An object with these fields, and perhaps more. */
export function including(fields: { readonly [key: string]: Expected }): Matcher {
  return {
    [MATCHER]: `an object with ${Object.keys(fields).join(', ')}`,
    problems: (actual, scope, path) =>
      isRecord(actual)
        ? Object.entries(fields).flatMap(([key, field]) => compare(field, actual[key], scope, `${path}.${key}`))
        : [`${path}: expected an object, got ${show(actual)}`],
  };
}

export function listOf(item: Expected): Matcher {
  return {
    [MATCHER]: 'a list',
    problems: (actual, scope, path) =>
      Array.isArray(actual)
        ? actual.flatMap((one, at) => compare(item, one, scope, `${path}[${at}]`))
        : [`${path}: expected a list, got ${show(actual)}`],
  };
}

/** A list that has each of these somewhere. */
export function listWith(...items: readonly Expected[]): Matcher {
  return {
    [MATCHER]: 'a list',
    problems: (actual, scope, path) => {
      if (!Array.isArray(actual)) return [`${path}: expected a list, got ${show(actual)}`];
      return items
        .filter((item) => !actual.some((one) => compare(item, one, scope, path).length === 0))
        .map((item) => `${path}: nothing is like ${show(item)} in ${show(actual)}`);
    },
  };
}

/** As `expected`; later steps of the case mention it as {name}. */
export function savedAs(name: string, expected: Expected = anything): Matcher {
  return {
    [MATCHER]: `${name}`,
    problems: (actual, scope, path) => {
      const found = compare(expected, actual, scope, path);
      if (found.length === 0) scope.set(name, actual);
      return found;
    },
  };
}

/** The value that was saved under this name, whatever its type. */
export function saved(name: string): Matcher {
  return {
    [MATCHER]: `what was saved as ${name}`,
    problems: (actual, scope, path) => compare(scope.get(name) as Expected, actual, scope, path),
  };
}

/** A list of that many items. */
export function listOfLength(count: number): Matcher {
  return matcher(`a list of ${count}`, (actual) => Array.isArray(actual) && actual.length === count);
}

export function not(expected: Expected): Matcher {
  return {
    [MATCHER]: `anything but ${show(expected)}`,
    problems: (actual, scope, path) =>
      compare(expected, actual, scope, path).length > 0 ? [] : [`${path}: expected anything but ${show(expected)}`],
  };
}

/** Everything in which `actual` differs from `expected`, each with its place. */
export function compare(expected: Expected | undefined, actual: unknown, scope: Scope, path: string): string[] {
  if (isMatcher(expected)) return expected.problems(actual, scope, path);
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return [`${path}: expected a list, got ${show(actual)}`];
    if (actual.length !== expected.length) return [`${path}: expected ${expected.length} items, got ${show(actual)}`];
    return expected.flatMap((item: Expected, at) => compare(item, actual[at], scope, `${path}[${at}]`));
  }
  if (isRecord(expected)) {
    if (!isRecord(actual)) return [`${path}: expected ${show(expected)}, got ${show(actual)}`];
    const extra = Object.keys(actual).filter((key) => !(key in expected));
    return [
      ...Object.entries(expected).flatMap(([key, field]) => compare(field as Expected, actual[key], scope, `${path}.${key}`)),
      ...extra.map((key) => `${path}.${key}: expected nothing, got ${show(actual[key])}`),
    ];
  }
  const wanted = typeof expected === 'string' ? mention(expected, scope) : expected;
  const isSame = isWhole(wanted) && isWhole(actual) ? BigInt(wanted) === BigInt(actual) : Object.is(wanted, actual);
  return isSame ? [] : [`${path}: expected ${show(wanted)}, got ${show(actual)}`];
}

/** Puts what was saved in the place of each {name} that is known. */
export function mention(template: string, scope: Scope, encode: (value: string) => string = (value) => value): string {
  return template.replace(/\{([a-z][\w-]*)\}/g, (whole, name: string) => (scope.has(name) ? encode(String(scope.get(name))) : whole));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isMatcher(value);
}

const SHOWN_CHARS_MAX = 600;

export function show(value: unknown): string {
  if (isMatcher(value)) return `<${value[MATCHER]}>`;
  if (value === undefined) return 'nothing';
  const shown = printJson(Array.isArray(value) ? value.slice(0, 20) : value) ?? String(value);
  return shown.length > SHOWN_CHARS_MAX ? `${shown.slice(0, SHOWN_CHARS_MAX)}…` : shown;
}
