// The bins of a quantile sketch, as a DDSketch has them: a value's bin is its logarithm, rounded up. Only bins that hold
// something are kept. When there are too many, every two neighbours become one, for all of the sketch: how coarse it is
// depends on the set of values alone, so any order and any split gives the same bins.
import { WindowingError } from '../errors.js';
import { arrayBytes, OBJECT_BYTES } from '../heap-bytes.js';

/** A little below 1 %, so that rounding the result stays within it. */
const ACCURACY = 0.0099;
// Taken once: they run for every value.
const { abs, ceil, log2 } = Math;
const LOG2_GAMMA = log2((1 + ACCURACY) / (1 - ACCURACY));
/** Three sketches with so many bins fit one changelog entry. */
const MAX_BINS = 1_792;
/** Logarithms of all doubles lie within this, so that positive values have bins above zero and negative ones below. */
const OFFSET = 60_000;
const MAX_LEVEL = 16;

export class QuantileBins {
  count = 0;
  /** `2^level` bins of the finest kind are one. */
  private level = 0;
  // Bin numbers, ascending, and beside them how many values each holds.
  private keys: number[] = [];
  private counts: number[] = [];

  clone(): QuantileBins {
    const copy = new QuantileBins();
    copy.count = this.count;
    copy.level = this.level;
    copy.keys = this.keys.slice();
    copy.counts = this.counts.slice();
    return copy;
  }

  /** Bins that hold something. */
  get size(): number {
    return this.keys.length;
  }

  /** About how much memory the bins take. */
  get bytes(): number {
    return OBJECT_BYTES + 2 * arrayBytes(this.keys.length);
  }

  add(value: number, times: number): void {
    this.put(this.keyOf(value), times);
    this.count += times;
    while (this.keys.length > MAX_BINS) this.coarsen();
  }

  merge(other: QuantileBins): void {
    const source = other.level < this.level ? other.clone() : other;
    while (source.level < this.level) source.coarsen();
    while (this.level < source.level) this.coarsen();
    for (let i = 0; i < source.keys.length; i++) this.put(source.keys[i]!, source.counts[i]!);
    this.count += source.count;
    while (this.keys.length > MAX_BINS) this.coarsen();
  }

  /** The value that stands for the bin of this rank (0 is the smallest). */
  valueAt(rank: number): number {
    let seen = 0;
    for (let i = 0; i < this.keys.length; i++) {
      seen += this.counts[i]!;
      if (seen > rank) return this.valueOf(this.keys[i]!);
    }
    return this.valueOf(this.keys.at(-1)!);
  }

  /** Level, then for each bin the distance from the one before and its count. */
  numbers(): number[] {
    const numbers = [this.level];
    let before = -2 * OFFSET;
    for (let i = 0; i < this.keys.length; i++) {
      numbers.push(this.keys[i]! - before, this.counts[i]!);
      before = this.keys[i]!;
    }
    return numbers;
  }

  /** The inverse of {@link numbers}. Throws WindowingError `bad_changelog`. */
  static of(numbers: readonly number[]): QuantileBins {
    const bins = new QuantileBins();
    bins.level = numbers[0] ?? MAX_LEVEL + 1;
    let key = -2 * OFFSET;
    let isSound = bins.level <= MAX_LEVEL && numbers.length % 2 === 1;
    for (let i = 1; i + 1 < numbers.length; i += 2) {
      key += numbers[i]!;
      isSound &&= numbers[i]! > 0 && numbers[i + 1]! > 0 && key <= 2 * OFFSET;
      bins.keys.push(key);
      bins.counts.push(numbers[i + 1]!);
      bins.count += numbers[i + 1]!;
    }
    if (isSound) return bins;
    throw new WindowingError('bad_changelog', 'no bins of a quantile sketch in a changelog record');
  }

  private keyOf(value: number): number {
    if (value === 0) return 0;
    const logarithm = ceil(log2(abs(value)) / LOG2_GAMMA);
    const key = OFFSET + ceil(logarithm / 2 ** this.level);
    return value > 0 ? key : -key;
  }

  /** The middle of a bin: equally far, in proportion, from both its ends. */
  private valueOf(key: number): number {
    if (key === 0) return 0;
    const width = LOG2_GAMMA * 2 ** this.level;
    const value = (2 * 2 ** ((abs(key) - OFFSET) * width)) / (1 + 2 ** width);
    return key > 0 ? value : -value;
  }

  private put(key: number, times: number): void {
    let [low, high] = [0, this.keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    if (this.keys[low] === key) {
      this.counts[low]! += times;
    } else {
      this.keys.splice(low, 0, key);
      this.counts.splice(low, 0, times);
    }
  }

  private coarsen(): void {
    const { keys, counts } = this;
    this.level++;
    this.keys = [];
    this.counts = [];
    for (let i = 0; i < keys.length; i++) {
      const key = coarser(keys[i]!);
      if (this.keys.at(-1) === key) this.counts[this.counts.length - 1]! += counts[i]!;
      else {
        this.keys.push(key);
        this.counts.push(counts[i]!);
      }
    }
  }
}

function coarser(key: number): number {
  if (key === 0) return 0;
  const half = OFFSET + ceil((abs(key) - OFFSET) / 2);
  return key > 0 ? half : -half;
}
