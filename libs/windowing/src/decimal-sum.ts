// The running total inside `sum`, `avg` and `variance`: exact, and without allocation while it fits a JS number.
import type { Cell } from '#contracts';
import { Decimal, raiseSafe, scanDecimal, scanned } from './decimal.js';

export class DecimalSum {
  // The total is `big ?? small`, with `scale` fractional digits. Two fields, so that V8 keeps `small` an unboxed double.
  private small = 0;
  private big: bigint | null = null;
  private scale = 0;

  static of(value: Decimal): DecimalSum {
    const sum = new DecimalSum();
    sum.set(value);
    return sum;
  }

  clone(): DecimalSum {
    const copy = new DecimalSum();
    copy.small = this.small;
    copy.big = this.big;
    copy.scale = this.scale;
    return copy;
  }

  /** Adds a decimal's text or an integer. Throws WindowingError `bad_decimal` for anything else. */
  add(cell: Exclude<Cell, null>): void {
    if (this.big === null) {
      if (typeof cell === 'string') {
        const scale = scanDecimal(cell);
        if (scale >= 0 && this.addSmall(scanned[0]!, scale)) return;
      } else if (Number.isSafeInteger(cell) && this.addSmall(cell as number, 0)) return;
    }
    this.set(this.value().add(Decimal.parse(String(cell))));
  }

  /** Adds the cell's square. Throws as {@link add} does. */
  addSquare(cell: Exclude<Cell, null>): void {
    const text = String(cell);
    const scale = scanDecimal(text);
    if (scale >= 0 && this.big === null) {
      const square = scanned[0]! * scanned[0]!;
      if (square <= Number.MAX_SAFE_INTEGER && this.addSmall(square, 2 * scale)) return;
    }
    const value = Decimal.parse(text);
    this.set(this.value().add(Decimal.of(BigInt(value.unscaled) ** 2n, 2 * value.scale)));
  }

  merge(other: DecimalSum): void {
    if (this.big === null && other.big === null && this.addSmall(other.small, other.scale)) return;
    this.set(this.value().add(other.value()));
  }

  /** About how much memory it takes. */
  get bytes(): number {
    return this.big === null ? 64 : 112;
  }

  value(): Decimal {
    return Decimal.of(this.big ?? this.small, this.scale);
  }

  /** False, and nothing is changed, when the total would leave the safe integers. */
  private addSmall(unscaled: number, scale: number): boolean {
    const sum =
      scale === this.scale
        ? this.small + unscaled
        : scale < this.scale
          ? this.small + raiseSafe(unscaled, this.scale - scale)
          : raiseSafe(this.small, scale - this.scale) + unscaled;
    // Written so that NaN, which says that raising failed, is refused too.
    if (!(Math.abs(sum) <= Number.MAX_SAFE_INTEGER)) return false;
    this.small = sum;
    if (scale > this.scale) this.scale = scale;
    return true;
  }

  private set(value: Decimal): void {
    this.small = typeof value.unscaled === 'number' ? value.unscaled : 0;
    this.big = typeof value.unscaled === 'bigint' ? value.unscaled : null;
    this.scale = value.scale;
  }
}
