// A bug that is planted on purpose: a change of one or two lines of the product's source, made while the module is loaded.
//
// The product knows nothing of this and holds no switch. What a bug replaces must stand in the source exactly once: when the product
// moves on, loading fails, and so does the test that tries every bug.

export type Part = 'chunk' | 'lease' | 'takeover' | 'channel' | 'tail' | 'metadata' | 'offload' | 'gc' | 'reader' | 'api';

export interface Edit {
  /** Path from the root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface PlantedBug {
  readonly name: string;
  readonly part: Part;
  /** Rules of docs/protocol.md that it breaks. */
  readonly rules: readonly string[];
  readonly edits: readonly Edit[];
  /** How it does harm, from the first wrong step to what somebody loses. */
  readonly why: string;
  /** Harm that is a call or a job which never ends, and nothing else. */
  readonly onlyStalls?: true;
}

/** The source with the edits made. @throws Error when one of them finds its place not exactly once. */
export function edited(source: string, edits: readonly Edit[]): string {
  return edits.reduce((text, { file, find, replace }) => {
    const places = text.split(find).length - 1;
    if (places !== 1) throw new Error(`${file} has ${places} places, not 1, of: ${find}`);
    return text.replace(find, () => replace);
  }, source);
}
