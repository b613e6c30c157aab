// The running total of `sum` and `avg` over a column's cells, exact: whole units of the finest fraction seen, in a double
// while that is a safe integer, in a BigInt beyond.
import { Rational } from './rational.js';

const POWERS = Array.from({ length: 16 }, (_, n) => 10 ** n);
/** A text of so many characters has at most 15 digits: its units are a safe integer. */
const SHORT = 15;

export class ExactSum {
  /** Units that are not in `large` yet. */
  private small = 0;
  private large = 0n;
  /** Fractional digits of a unit. */
  private scale = 0;

  /** `cell`: an integer as JSON has it, or plain decimal text. */
  add(cell: number | string): void {
    if (typeof cell === 'number') return this.addUnits(cell, 0);
    const point = cell.indexOf('.');
    if (cell.length <= SHORT) {
      if (point === -1) return this.addUnits(Number(cell), 0);
      return this.addUnits(Number(cell.slice(0, point) + cell.slice(point + 1)), cell.length - point - 1);
    }
    this.addLarge(Rational.parse(cell));
  }

  get value(): Rational {
    return Rational.of(this.large + BigInt(this.small), 10n ** BigInt(this.scale));
  }

  private addUnits(units: number, scale: number): void {
    if (scale > this.scale) this.rescale(scale);
    // No power here is so large that a product beyond the safe integers could look like one within them.
    const sum = this.small + units * (POWERS[this.scale - scale] ?? Number.NaN);
    if (Math.abs(sum) <= Number.MAX_SAFE_INTEGER) this.small = sum;
    else {
      this.large += BigInt(this.small) + BigInt(units) * 10n ** BigInt(this.scale - scale);
      this.small = 0;
    }
  }

  private addLarge(value: Rational): void {
    // A decimal's denominator has only the factors 2 and 5: some power of ten is a multiple of it.
    let scale = this.scale;
    while (10n ** BigInt(scale) % value.denominator !== 0n) scale++;
    this.rescale(scale);
    this.large += (value.numerator * 10n ** BigInt(scale)) / value.denominator;
  }

  private rescale(scale: number): void {
    if (scale === this.scale) return;
    this.large = (this.large + BigInt(this.small)) * 10n ** BigInt(scale - this.scale);
    this.small = 0;
    this.scale = scale;
  }
}
