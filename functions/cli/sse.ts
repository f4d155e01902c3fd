// Server-sent events out of the bytes of an answer. (WHATWG HTML, section 9.2.)

export interface ServerEvent {
  /** `message` where the event has no name. */
  readonly name: string;
  readonly data: string;
}

const BLANK_LINE = /\r?\n\r?\n/;
/** As much of one chunk as can belong to a blank line that ends in the next. */
const BLANK_LINE_CHARS = 4;

/** @param onChunk called for every chunk, so that a caller can tell a quiet connection from a dead one */
export async function* eventsOf(body: ReadableStream<Uint8Array<ArrayBuffer>>, onChunk: () => void): AsyncGenerator<ServerEvent> {
  // An event may come in many chunks: only what is new is searched.
  let pieces: string[] = [];
  let seam = '';
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    onChunk();
    pieces.push(text);
    if (!BLANK_LINE.test(seam + text)) {
      seam = (seam + text).slice(-BLANK_LINE_CHARS);
      continue;
    }
    const blocks = pieces.join('').split(BLANK_LINE);
    const rest = blocks.pop() ?? '';
    pieces = [rest];
    seam = rest.slice(-BLANK_LINE_CHARS);
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event !== undefined) yield event;
    }
  }
}

function parseEvent(block: string): ServerEvent | undefined {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { name, data: data.join('\n') };
}
