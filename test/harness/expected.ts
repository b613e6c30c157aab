// What should come out, computed the plain way from rows in the order of the log: sums in BigInt cents, no window code of
// Caudal's. `Series` remembers every prefix, because every intermediate result is looked at, not only the last one.
import type { FeatureValue } from '#contracts';
import { averageOf, plainDecimal, type Sale } from './seeded-upload.js';

export type Features = Record<string, FeatureValue>;

/** One group of one upload: the view `por_upload`. */
export class UploadGroup {
  private sales = 0;
  private valued = 0n;
  private cents = 0n;
  private least: bigint | null = null;
  private most: bigint | null = null;

  add({ cents }: Sale): void {
    this.sales++;
    if (cents === null) return;
    this.valued++;
    this.cents += cents;
    if (this.least === null || cents < this.least) this.least = cents;
    if (this.most === null || cents > this.most) this.most = cents;
  }

  features(): Features {
    const isEmpty = this.valued === 0n;
    return {
      vendas: this.sales,
      soma: isEmpty ? null : plainDecimal(this.cents, 2),
      media: isEmpty ? null : averageOf(this.cents, this.valued),
      menor: this.least === null ? null : plainDecimal(this.least, 2),
      maior: this.most === null ? null : plainDecimal(this.most, 2),
    };
  }
}

/** One (view, group, window) that accumulates: what it is after each of its rows, and how much of that was emitted. */
export class Series {
  /** After `forgotten`, `forgotten + 1`, ... rows. */
  private readonly sums: (bigint | null)[] = [null];
  private forgotten = 0;
  /** The largest count emitted so far. */
  emitted = 0;
  isFinal = false;

  add({ cents }: Sale): void {
    const before = this.sums.at(-1)!;
    this.sums.push(cents === null ? before : (before ?? 0n) + cents);
  }

  get rows(): number {
    return this.forgotten + this.sums.length - 1;
  }

  /** After `rows` of its rows; undefined when it never had so many, or when more have been emitted before. */
  featuresAfter(rows: number): Features | undefined {
    const cents = this.sums[rows - this.forgotten];
    if (cents === undefined) return undefined;
    return { vendas: rows, soma: cents === null ? null : plainDecimal(cents, 2) };
  }

  features(): Features {
    return this.featuresAfter(this.rows)!;
  }

  /** The result after `rows` rows was emitted: an earlier one must not come any more. */
  emit(rows: number, isFinal: boolean): void {
    this.emitted = rows;
    this.isFinal ||= isFinal;
    this.sums.splice(0, rows - this.forgotten);
    this.forgotten = rows;
  }
}
