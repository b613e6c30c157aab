// Mean and spread of numbers in one pass (Welford), merged by Chan's formula. Doubles on purpose: a profile and `stddev`
// describe; sums and averages that are checked for a value are exact (exact-sum).

export class Moments {
  count = 0;
  mean = 0;
  /** Sum of squared distances from the mean. */
  squares = 0;

  add(value: number): void {
    this.count++;
    const distance = value - this.mean;
    this.mean += distance / this.count;
    this.squares += distance * (value - this.mean);
  }

  merge(other: Moments): Moments {
    const merged = new Moments();
    merged.count = this.count + other.count;
    if (merged.count === 0) return merged;
    const distance = other.mean - this.mean;
    merged.mean = this.mean + (distance * other.count) / merged.count;
    merged.squares = this.squares + other.squares + (distance * distance * this.count * other.count) / merged.count;
    return merged;
  }

  /** Of a sample (divided by n - 1), as the `stddev` of features; null of fewer than two values. */
  get stddev(): number | null {
    return this.count < 2 ? null : Math.sqrt(this.squares / (this.count - 1));
  }
}
