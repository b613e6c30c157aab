// The values that a `unique` column has had in this file so far, 16 bytes each: the first half of their SHA-256. Two
// values with equal halves would be needed for a wrong rejection; among ten million values their chance is 2^-81.
import { LIMITS } from '#contracts';
import { hash } from 'node:crypto';
import { CsvError } from './csv-error.js';

const WORDS = 4;
const FIRST_SLOTS = 1 << 12;

/** A hash table of 16-byte entries in one typed array, open addressing; memory is at most 48 bytes a value. */
export class UniqueValues {
  #slots = FIRST_SLOTS;
  #table = new Uint32Array(FIRST_SLOTS * WORDS);
  #count = 0;
  readonly #digest = new Uint32Array(WORDS);

  constructor(
    private readonly column: string,
    private readonly most: number = LIMITS.uniqueValues,
  ) {}

  has(value: string): boolean {
    this.#read(value);
    return this.#find() < 0;
  }

  /** Throws {@link CsvError} when more values come than can be told apart in bounded memory. */
  add(value: string): void {
    if (this.#count >= this.most) {
      const message = `column "${this.column}" is unique and has more than ${this.most} values: split the file`;
      throw new CsvError('too_large', message);
    }
    if (this.#count * 3 >= this.#slots * 2) this.#grow();
    this.#read(value);
    const at = this.#find();
    if (at < 0) return;
    this.#table.set(this.#digest, at);
    this.#count++;
  }

  #read(value: string): void {
    const digest = hash('sha256', value, 'buffer');
    for (let word = 0; word < WORDS; word++) this.#digest[word] = digest.readUInt32LE(word * 4);
    // An entry of zeros is a free slot.
    this.#digest[0]! |= 1;
  }

  /** Place of the free slot for the digest, or -1 when it is there. */
  #find(): number {
    const [a, b, c, d] = this.#digest as unknown as [number, number, number, number];
    const table = this.#table;
    let slot = b & (this.#slots - 1);
    for (;;) {
      const at = slot * WORDS;
      if (table[at] === 0) return at;
      if (table[at] === a && table[at + 1] === b && table[at + 2] === c && table[at + 3] === d) return -1;
      slot = (slot + 1) & (this.#slots - 1);
    }
  }

  #grow(): void {
    const old = this.#table;
    this.#slots *= 2;
    this.#table = new Uint32Array(this.#slots * WORDS);
    for (let at = 0; at < old.length; at += WORDS) {
      if (old[at] === 0) continue;
      this.#digest.set(old.subarray(at, at + WORDS));
      this.#table.set(this.#digest, this.#find());
    }
  }
}
