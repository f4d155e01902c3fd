// Options of `npm run sim` that both of its halves read in one way: main.ts for runs, planted/hunt.ts for planted bugs.

/** @throws Error when the text is no whole number, or one below `min`. */
export function wholeNumber(name: string, text: string, min: number): number {
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value) || value < min) {
    throw new Error(`--${name} is "${text}"; it must be a whole number from ${min} up`);
  }
  return value;
}
