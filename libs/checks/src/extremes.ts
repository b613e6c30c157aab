// Smallest and largest cell of a column, as their canonical texts: numbers by their exact value, all else by text.
import { copyOf } from './categories.js';
import { Rational } from './rational.js';

export class Extremes {
  min: string | null = null;
  max: string | null = null;
  private minNumber = Number.NaN;
  private maxNumber = Number.NaN;

  addText(text: string): void {
    if (this.min === null || text < this.min) this.min = text;
    if (this.max === null || text > this.max) this.max = text;
  }

  /** `value`: the double that `cell` is. Doubles that are equal may be decimals that are not. */
  addNumber(cell: number | string, value: number): void {
    if (this.min === null || value < this.minNumber || (value === this.minNumber && isBelow(cell, this.min))) {
      this.min = String(cell);
      this.minNumber = value;
    }
    if (this.max === null || value > this.maxNumber || (value === this.maxNumber && isBelow(this.max, cell))) {
      this.max = String(cell);
      this.maxNumber = value;
    }
  }

  /** Cells are slices of the text that was read: copies let go of it. */
  settle(): void {
    if (this.min !== null) this.min = copyOf(this.min);
    if (this.max !== null) this.max = copyOf(this.max);
  }
}

/** Moments are equal when their doubles are: only decimals are looked at digit by digit. */
function isBelow(a: number | string, b: number | string): boolean {
  const [x, y] = [String(a), String(b)];
  return x !== y && Rational.parse(x).compare(Rational.parse(y)) < 0;
}
