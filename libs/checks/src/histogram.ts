// Bounded histograms that add up exactly: bins lie on a fixed grid, and where a histogram has too many, two neighbours of
// the grid become one everywhere. Two histograms are thus always comparable at the coarser of their levels.

/**
 * `linear`: hours, for timestamps. `log`: widths grow with the value (about 4 %), in both directions from zero, for
 * numbers of any size; values within a millionth of zero share bins with it.
 */
export type Grid = 'linear' | 'log';

const HOUR_MS = 3_600_000;
const PER_E = 23;
const SMALLEST = 1e-6;
const MAX_BINS = 256;

const toGrid: Record<Grid, (value: number) => number> = {
  linear: (value) => value / HOUR_MS,
  log: (value) => Math.asinh(value / SMALLEST) * PER_E,
};
const fromGrid: Record<Grid, (place: number) => number> = {
  linear: (place) => place * HOUR_MS,
  log: (place) => Math.sinh(place / PER_E) * SMALLEST,
};

/** As it is kept: level and counts by index. */
export interface HistogramJson {
  grid: Grid;
  level: number;
  bins: [index: number, count: number][];
}

export class Histogram {
  private bins = new Map<number, number>();
  private level = 0;
  private width = 1;

  constructor(readonly grid: Grid) {}

  add(value: number): void {
    const index = Math.floor(toGrid[this.grid](value) / this.width);
    this.bins.set(index, (this.bins.get(index) ?? 0) + 1);
    if (this.bins.size > MAX_BINS) this.coarsen(MAX_BINS);
  }

  merge(other: Histogram): Histogram {
    const level = Math.max(this.level, other.level);
    const merged = this.at(level);
    for (const [index, count] of other.at(level).bins) merged.bins.set(index, (merged.bins.get(index) ?? 0) + count);
    return merged.coarsen(MAX_BINS);
  }

  /** A copy at this level or a coarser one. */
  at(level: number): Histogram {
    const copy = new Histogram(this.grid);
    copy.bins = new Map(this.bins);
    copy.level = this.level;
    while (copy.level < level) copy.halve();
    copy.width = 2 ** copy.level;
    return copy;
  }

  /** Joins neighbours until there are at most `bins`. */
  coarsen(bins: number): this {
    // Two bins may stay for ever: one on each side of zero.
    while (this.bins.size > Math.max(2, bins)) this.halve();
    this.width = 2 ** this.level;
    return this;
  }

  get coarseness(): number {
    return this.level;
  }

  /** Counts by index, in the order of the values. */
  sorted(): [index: number, count: number][] {
    return [...this.bins].sort(([a], [b]) => a - b);
  }

  /** The values between which bin `index` lies: `[from, to)`. */
  edges(index: number): [from: number, to: number] {
    const place = fromGrid[this.grid];
    return [place(index * this.width), place((index + 1) * this.width)];
  }

  toJSON(): HistogramJson {
    return { grid: this.grid, level: this.level, bins: this.sorted() };
  }

  static fromJSON(json: HistogramJson): Histogram {
    const histogram = new Histogram(json.grid);
    histogram.bins = new Map(json.bins);
    histogram.level = json.level;
    histogram.width = 2 ** json.level;
    return histogram;
  }

  private halve(): void {
    const halved = new Map<number, number>();
    for (const [index, count] of this.bins) {
      const half = Math.floor(index / 2);
      halved.set(half, (halved.get(half) ?? 0) + count);
    }
    this.bins = halved;
    this.level++;
  }
}
