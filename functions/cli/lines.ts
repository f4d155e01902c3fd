// Lines of standard input, as bytes: nothing is decoded, so what comes back is what went in.

import { CliError } from './exit-code.ts';

const NEWLINE = 0x0a;

/**
 * The lines of each chunk, without their newline; a last line needs none.
 *
 * @param lineBytesMax what one record can hold; memory is bounded by it
 * @throws CliError naming the line that is longer
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>, lineBytesMax: number): AsyncGenerator<readonly Buffer[]> {
  let parts: Buffer[] = [];
  let partsBytes = 0;
  let lineNumber = 1;
  const check = (bytes: number): void => {
    if (bytes > lineBytesMax) throw new CliError(`line ${lineNumber} is longer than a record can be (${lineBytesMax} bytes)`);
  };
  for await (const chunk of chunks) {
    const lines: Buffer[] = [];
    let at = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      const piece = chunk.subarray(at, end);
      at = end + 1;
      const line = parts.length === 0 ? piece : Buffer.concat([...parts, piece]);
      if (line.length > lineBytesMax && lines.length > 0) yield lines.splice(0);
      check(line.length);
      parts = [];
      partsBytes = 0;
      lines.push(line);
      lineNumber += 1;
    }
    if (lines.length > 0) yield lines;
    if (at < chunk.length) {
      parts.push(chunk.subarray(at));
      partsBytes += chunk.length - at;
      check(partsBytes);
    }
  }
  if (parts.length > 0) yield [Buffer.concat(parts)];
}
