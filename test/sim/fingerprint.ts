// A running hash of everything that a run did: two runs of one seed must agree on it.

const VIEW = new DataView(new ArrayBuffer(8));

export class Fingerprint {
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;

  number(value: number): void {
    VIEW.setFloat64(0, value);
    this.#mix(VIEW.getUint32(0));
    this.#mix(VIEW.getUint32(4));
  }

  text(value: string): void {
    for (let i = 0; i < value.length; i += 1) this.#a = Math.imul(this.#a ^ value.charCodeAt(i), 0x01000193);
    this.#mix(value.length);
  }

  /** 16 hexadecimal digits. */
  get value(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #mix(word: number): void {
    this.#a = Math.imul(this.#a ^ word, 0x01000193);
    this.#b = Math.imul((this.#b ^ (this.#a >>> 7)) + word, 0x85ebca6b);
    this.#b ^= this.#b >>> 13;
  }
}
