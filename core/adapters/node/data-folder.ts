// What ties the parts of a data folder together: metadata of another folder, or of an earlier time, is never opened beside
// chunks and segments that it knows nothing of. Background work would take them for leftovers.
//
//   file `identity` := text 'millrace-folder 1 <identity, 32 hex digits> <starts> <crc, 8 hex digits>\n',
//                      crc is CRC-32 over everything before its space
//   metadata item   := partition `data-folder`, sort `identity`: {identity, starts}
//
// The identity is drawn once; starts grows by one with every start. Metadata is written first, then the file, and only then
// anything else in the folder. So a crash in between leaves metadata that is one step ahead, which the next start finishes;
// the other way round it would leave what a folder looks like whose metadata was lost, or put back from an old copy.
//
//   M18  A data folder and its metadata bear the same identity and count of starts; where they do not, nothing is opened.

import path from 'node:path';
import { toHex } from '../../base/bytes.ts';
import { invariant } from '../../base/invariant.ts';
import { refused, StoreError } from '../../model/errors.ts';
import type { Checksum } from '../../ports/checksum.ts';
import type { Fields, MetadataStore } from '../../ports/metadata-store.ts';
import type { Random } from '../../ports/random.ts';
import { errorCode, type Files, isDiskFull, nodeFiles, sayError } from './files.ts';

const IDENTITY_FILE = 'identity';
const KEY = { partition: 'data-folder', sort: 'identity' };
/** What only metadata gives a meaning to. */
const HOLDERS = ['zones', 'segments/objects', 'chunks/objects'];
const LINE = /^(millrace-folder 1 ([0-9a-f]{32}) ([1-9][0-9]{0,14})) ([0-9a-f]{8})\n$/;
const ELSE_ANOTHER = 'or choose another folder with MILLRACE_DATA_DIR';

interface Tie {
  readonly identity: string;
  readonly starts: number;
}

export interface DataFolderOptions {
  /** It is there, and locked. */
  readonly dir: string;
  /** The metadata file below it. */
  readonly metadataFile: string;
  readonly random: Random;
  readonly checksum: Checksum;
  readonly files?: Files;
}

/**
 * Looks at a data folder before its metadata is opened, which would make a file that is not there.
 *
 * @throws StoreError `corrupt` when the metadata of a folder that was used is gone.
 */
export async function openDataFolder(options: DataFolderOptions): Promise<DataFolder> {
  const folder = new DataFolder(options);
  await folder.open();
  return folder;
}

export class DataFolder {
  readonly #options: DataFolderOptions;
  readonly #files: Files;
  readonly #file: string;
  #found: Tie | 'absent' | 'damaged' = 'absent';
  /** A file that only metadata gives a meaning to. */
  #held: string | undefined;

  constructor(options: DataFolderOptions) {
    this.#options = options;
    this.#files = options.files ?? nodeFiles;
    this.#file = path.join(options.dir, IDENTITY_FILE);
  }

  /** What `openDataFolder` does. */
  async open(): Promise<void> {
    const { dir, metadataFile } = this.#options;
    try {
      this.#found = await this.#read();
      for (const holder of HOLDERS) this.#held ??= await this.#firstFile(path.join(dir, holder));
      await this.#files.sizeOf(metadataFile);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw storageError(error, dir);
      if (this.#found !== 'absent' || this.#held !== undefined) throw this.#metadataGone('is not there');
    }
  }

  /**
   * Makes sure that folder and metadata belong together, before anything else in the folder is opened.
   *
   * @throws StoreError `corrupt` when they do not.
   */
  async tie(metadata: MetadataStore): Promise<void> {
    const known = tieOf((await metadata.get(KEY, 'strong'))?.fields);
    const found = this.#found;
    if (known === undefined) {
      if (found !== 'absent' || this.#held !== undefined) throw this.#metadataGone('is new');
      const drawn = { identity: toHex(this.#options.random.bytes(16)), starts: 1 };
      await this.#move(metadata, drawn);
      return await this.#write(drawn);
    }
    if (found === 'absent' && this.#held === undefined) return await this.#write(known);
    if (found === 'absent' || found === 'damaged') throw this.#identityGone(known, found);
    this.#check(known, found);
    try {
      // The last start crashed in between.
      if (known.starts > found.starts) await this.#write(known);
      const next = { ...known, starts: known.starts + 1 };
      await this.#move(metadata, next);
      await this.#write(next);
    } catch (error) {
      // A full disk must not keep what is there from being served: this start is not counted.
      if (!(error instanceof StoreError) || error.code !== 'disk_full') throw error;
    }
  }

  #check(known: Tie, found: Tie): void {
    const { metadataFile, dir } = this.#options;
    if (known.identity !== found.identity) {
      throw refused(
        'corrupt',
        `${metadataFile} belongs to another data folder than ${dir}: ${this.#file} names another identity. ` +
          `Nothing was changed. Put back the metadata file of this folder, ${ELSE_ANOTHER}`,
      );
    }
    if (known.starts >= found.starts && known.starts <= found.starts + 1) return;
    const isOlder = known.starts < found.starts;
    const [older, newer] = isOlder ? [metadataFile, 'the rest of its folder'] : [this.#file, metadataFile];
    throw refused(
      'corrupt',
      `${older} is from an earlier time than ${newer}: it knows of ${Math.min(known.starts, found.starts)} starts, not of ` +
        `${Math.max(known.starts, found.starts)}. Nothing was changed. Put back the newest copy of ${older} (of metadata, with its -wal file), ` +
        `or the whole folder from one copy, ${ELSE_ANOTHER}`,
    );
  }

  #metadataGone(how: string): StoreError {
    const { metadataFile, dir } = this.#options;
    const what = this.#held ?? this.#file;
    return refused(
      'corrupt',
      `The metadata file ${metadataFile} ${how}, but the data folder ${dir} is in use: it holds ${what}. Nothing was changed. ` +
        `Put back the metadata file of this folder, with its -wal file if it has one, ${ELSE_ANOTHER}`,
    );
  }

  #identityGone(known: Tie, how: 'absent' | 'damaged'): StoreError {
    const is = how === 'absent' ? 'is not there' : 'is damaged';
    return refused(
      'corrupt',
      `${this.#file}, which ties the data folder to its metadata, ${is}. Nothing was changed. Put it back; or, only if ` +
        `${this.#options.metadataFile} is the newest of this folder, write this line to it: ${this.#line(known).trim()}`,
    );
  }

  async #move(metadata: MetadataStore, to: Tie): Promise<void> {
    const { committed } = await metadata.commit([{ kind: 'put', key: KEY, fields: { ...to } }]);
    invariant(committed, 'M18: a put without a condition takes effect');
  }

  async #read(): Promise<Tie | 'absent' | 'damaged'> {
    let bytes: Uint8Array;
    try {
      const file = await this.#files.open(this.#file, { write: false });
      try {
        bytes = new Uint8Array(Math.min(await file.size(), 256));
        await file.read(bytes, 0);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return 'absent';
      throw error;
    }
    const text = new TextDecoder().decode(bytes);
    // A line that a person wrote may lack its end.
    const [, , identity, starts] = LINE.exec(text.endsWith('\n') ? text : `${text}\n`) ?? [];
    if (identity === undefined) return 'damaged';
    const tie = { identity, starts: Number(starts) };
    return this.#line(tie).trim() === text.trim() ? tie : 'damaged';
  }

  /** Replaces the file: the old or the new line is there, whole, whenever the power goes. */
  async #write(tie: Tie): Promise<void> {
    const temporary = `${this.#file}.new`;
    try {
      await this.#files.removeTree(temporary);
      const file = await this.#files.open(temporary, { write: true, create: 'new' });
      try {
        await file.write([new TextEncoder().encode(this.#line(tie))], 0);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#files.rename(temporary, this.#file);
      await this.#files.syncFolder(this.#options.dir);
    } catch (error) {
      throw storageError(error, this.#file);
    }
  }

  #line({ identity, starts }: Tie): string {
    const text = `millrace-folder 1 ${identity} ${starts}`;
    const crc = this.#options.checksum.crc32(new TextEncoder().encode(text));
    return `${text} ${crc.toString(16).padStart(8, '0')}\n`;
  }

  async #firstFile(folder: string): Promise<string | undefined> {
    let entries: Awaited<ReturnType<Files['entries']>>;
    try {
      entries = await this.#files.entries(folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    for (const { name, isFolder } of entries) {
      const found = isFolder ? await this.#firstFile(path.join(folder, name)) : path.join(folder, name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function tieOf(fields: Fields | undefined): Tie | undefined {
  return fields === undefined ? undefined : { identity: String(fields['identity']), starts: Number(fields['starts']) };
}

function storageError(error: unknown, what: string): StoreError {
  const code = isDiskFull(error) ? 'disk_full' : 'storage';
  return refused(code, `${what} cannot be opened or written: ${sayError(error)}`);
}
