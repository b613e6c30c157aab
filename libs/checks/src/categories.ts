// How often each value of a column occurs: every value while there are few, and always the counts of buckets into which a
// hash throws them. Both add up exactly, so that columns with many values can still be compared.
import type { Cell } from '#contracts';

const LONGEST = 64;
export const BUCKETS = 256;

export interface CategoriesJson {
  /** All values with their counts; null when there are too many of them. */
  values: [value: string, count: number][] | null;
  /** A power of two of them. */
  buckets: number[];
}

export class Categories {
  private values: Map<string, number> | null = new Map();
  private buckets: Float64Array<ArrayBuffer> | number[] = new Float64Array(BUCKETS);

  /** Beyond `most` values only the buckets are kept. */
  constructor(private readonly most: number) {}

  /** `hash`: of the cell, the same for equal cells. */
  add(cell: NonNullable<Cell>, hash: number): void {
    this.buckets[hash & (BUCKETS - 1)]!++;
    if (this.values === null) return;
    const text = typeof cell === 'string' ? cell : String(cell);
    const count = this.values.get(text);
    if (count !== undefined) this.values.set(text, count + 1);
    else this.addNew(text, hash);
  }

  merge(other: Categories): Categories {
    const merged = new Categories(Math.max(this.most, other.most));
    const size = Math.min(this.buckets.length, other.buckets.length);
    const [mine, others] = [foldBuckets(this.buckets, size), foldBuckets(other.buckets, size)];
    merged.buckets = mine.map((count, i) => count + others[i]!);
    if (this.values === null || other.values === null) merged.values = null;
    else {
      merged.values = new Map(this.values);
      for (const [value, count] of other.values) merged.values.set(value, (merged.values.get(value) ?? 0) + count);
      if (merged.values.size > merged.most) merged.values = null;
    }
    return merged;
  }

  /** Value and count, most frequent first; null when not all values are known. */
  get top(): [value: string, count: number][] | null {
    if (this.values === null) return null;
    return [...this.values].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : a > b ? 1 : 0));
  }

  get known(): ReadonlyMap<string, number> | null {
    return this.values;
  }

  get hashed(): readonly number[] {
    return [...this.buckets];
  }

  toJSON(): CategoriesJson {
    return { values: this.top, buckets: [...this.buckets] };
  }

  static fromJSON(json: CategoriesJson, most: number): Categories {
    const categories = new Categories(most);
    categories.values = json.values && new Map(json.values);
    categories.buckets = json.buckets;
    return categories;
  }

  private addNew(text: string, hash: number): void {
    if (text.length > LONGEST) {
      const short = `${text.slice(0, LONGEST - 11)}...#${hash.toString(16).padStart(8, '0')}`;
      this.values!.set(copyOf(short), (this.values!.get(short) ?? 0) + 1);
    } else this.values!.set(copyOf(text), 1);
    if (this.values!.size > this.most) this.values = null;
  }
}

/** Counts of half as many buckets, and so on down to `size`. */
export function foldBuckets(buckets: ArrayLike<number>, size: number): number[] {
  let folded = Array.from(buckets);
  while (folded.length > size) {
    const half = folded.length / 2;
    folded = folded.slice(0, half).map((count, i) => count + folded[i + half]!);
  }
  return folded;
}

/** A cell is a slice of the text that was read: a copy lets go of the rest. */
export function copyOf(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
