// Names and messages as a terminal can take them: one line, and no control character that would act on it.

/** C0 and C1 controls as JSON writes them; everything else as it is. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => {
    const escaped = JSON.stringify(char).slice(1, -1);
    return escaped === char ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : escaped;
  });
}

/** Text that is broken for the eye of whoever reads the source, as one paragraph. */
export function prose(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}

/** 1234567.8 as `1,234,568`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

const MIB = 1024 * 1024;

export function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
