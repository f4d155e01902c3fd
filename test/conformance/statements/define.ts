// What a statement is. A list of them stands in each file of this folder; all.ts joins them.
//
// The number in front of an id is the section of the S2 v1 API it comes from.

type Texts = Readonly<Record<string, string>>;

/** Statements of some sections, by whom they are about. */
export interface StatementList {
  /** A demand on the server: needs at least one case. */
  readonly server: Texts;
  /** What clients, the hosted service or another server do: no demand on this one, and no case. */
  readonly client: Texts;
  /** A demand of which a client cannot bring about the occasion, with the test of this repository that shows it. */
  readonly elsewhere: Readonly<Record<string, readonly [text: string, test: Elsewhere]>>;
}

export interface Elsewhere {
  readonly file: string;
  /** Part of the title of the test. */
  readonly title: string;
}

/** No statements of a kind. */
type None = Readonly<Record<never, never>>;

/** Keeps the ids as types, so that a case that names an unknown one does not compile. */
export function statements<const S extends Texts, const C extends Texts = None, const E extends StatementList['elsewhere'] = None>(
  server: S,
  client: C = {} as C,
  elsewhere: E = {} as E,
): { readonly server: S; readonly client: C; readonly elsewhere: E } {
  return { server, client, elsewhere };
}
