// What one column of a file holds: counts, extremes, distribution. One call a row, bounded memory, mergeable.
import type { Cell, ColumnType } from '#contracts';
import { Categories, type CategoriesJson } from './categories.js';
import { HyperLogLog } from './distinct.js';
import { Extremes } from './extremes.js';
import { hashNumber, hashText } from './hash.js';
import { Histogram, type HistogramJson } from './histogram.js';
import { isoMs } from './iso-ms.js';
import { Moments } from './moments.js';
import { looksLike, wider } from './seen-type.js';

/** As it is kept with a run. */
export interface ColumnProfileJson {
  type: ColumnType;
  seen: ColumnType | null;
  count: number;
  nulls: number;
  min: string | null;
  max: string | null;
  /** Count, mean and sum of squares of numbers. */
  moments: [number, number, number] | null;
  registers: string;
  categories: CategoriesJson;
  histogram: HistogramJson | null;
}

const SETTLE_ROWS = 1_024;

export class ColumnProfile {
  /** Rows with a value, and without. */
  count = 0;
  nulls = 0;
  seen: ColumnType | null = null;
  moments: Moments | null;
  distinct = HyperLogLog.empty();
  categories: Categories;
  histogram: Histogram | null;
  private readonly extremes = new Extremes();

  /** `most`: how many different values are kept with their counts. */
  constructor(
    readonly type: ColumnType,
    private readonly most: number,
  ) {
    const number = type === 'integer' || type === 'decimal';
    this.moments = number ? new Moments() : null;
    this.categories = new Categories(most);
    this.histogram = number ? new Histogram('log') : type === 'timestamp' ? new Histogram('linear') : null;
    if (type !== 'string') this.seen = type;
  }

  /** Canonical texts; null of no values. */
  get min(): string | null {
    return this.extremes.min;
  }

  get max(): string | null {
    return this.extremes.max;
  }

  add(cell: Cell): void {
    if (cell === null) {
      this.nulls++;
      return;
    }
    this.count++;
    if (this.type === 'string' || this.type === 'boolean') this.addText(cell);
    else this.addNumber(cell as number | string);
    // Slices of what was read are let go of before they hold much.
    if (this.count % SETTLE_ROWS === 0) this.extremes.settle();
  }

  merge(other: ColumnProfile): ColumnProfile {
    const merged = new ColumnProfile(this.type, Math.max(this.most, other.most));
    merged.count = this.count + other.count;
    merged.nulls = this.nulls + other.nulls;
    for (const text of [this.min, this.max, other.min, other.max]) if (text !== null) merged.addExtreme(text);
    merged.seen = wider(this.seen, other.seen);
    merged.moments = this.moments && other.moments && this.moments.merge(other.moments);
    merged.distinct = this.distinct.merge(other.distinct);
    merged.categories = this.categories.merge(other.categories);
    merged.histogram = this.histogram && other.histogram && this.histogram.merge(other.histogram);
    return merged;
  }

  toJSON(): ColumnProfileJson {
    const { type, seen, count, nulls, min, max, moments } = this;
    return {
      type,
      seen: count === 0 ? null : seen,
      count,
      nulls,
      min: min && cut(min),
      max: max && cut(max),
      moments: moments && [moments.count, moments.mean, moments.squares],
      registers: this.distinct.toJSON(),
      categories: this.categories.toJSON(),
      histogram: this.histogram && this.histogram.toJSON(),
    };
  }

  static fromJSON(json: ColumnProfileJson, most: number): ColumnProfile {
    const profile = new ColumnProfile(json.type, most);
    Object.assign(profile, { seen: json.seen, count: json.count, nulls: json.nulls });
    for (const text of [json.min, json.max]) if (text !== null) profile.addExtreme(text);
    if (json.moments && profile.moments) {
      const [count, mean, squares] = json.moments;
      Object.assign(profile.moments, { count, mean, squares });
    }
    profile.distinct = HyperLogLog.fromJSON(json.registers);
    profile.categories = Categories.fromJSON(json.categories, most);
    profile.histogram = json.histogram && Histogram.fromJSON(json.histogram);
    return profile;
  }

  private addNumber(cell: number | string): void {
    const value = this.type === 'timestamp' ? isoMs(cell as string) : Number(cell);
    const hash = hashNumber(value);
    this.distinct.add(hash);
    this.categories.add(cell, hash);
    this.moments?.add(value);
    this.histogram!.add(value);
    this.extremes.addNumber(cell, value);
  }

  private addText(cell: NonNullable<Cell>): void {
    const text = String(cell);
    const hash = hashText(text);
    this.distinct.add(hash);
    this.categories.add(cell, hash);
    this.extremes.addText(text);
    if (this.seen !== 'string' && this.type === 'string') this.seen = wider(this.seen, looksLike(text));
  }

  private addExtreme(text: string): void {
    if (this.type === 'timestamp') this.extremes.addNumber(text, isoMs(text));
    else if (this.moments) this.extremes.addNumber(text, Number(text));
    else this.extremes.addText(text);
  }
}

const SHOWN = 64;

function cut(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 3)}...` : text;
}
