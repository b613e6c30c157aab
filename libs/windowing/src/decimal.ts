// Exact decimals: an integer and a scale, the integer a JS number while it is safe and a BigInt beyond.
// Every sum, average, minimum and maximum goes through here; no float arithmetic touches a fraction.
import { WindowingError } from './errors.js';

/** `unscaled * 10^-scale`; always a number when it fits 2^53-1. */
export type Unscaled = number | bigint;

const POWERS = Array.from({ length: 16 }, (_, n) => 10 ** n);
const BIG_POWERS: bigint[] = [];
const PLAIN = /^(-?\d+)(?:\.(\d+))?$/;

/** Where {@link scanDecimal} leaves the integer: a slot of doubles, so that no scan allocates. */
export const scanned = new Float64Array(1);

/**
 * The fast path of parsing, without allocation: returns the scale and leaves the unscaled integer in
 * `scanned[0]`. Returns -1 when the integer exceeds 2^53-1, or the text is no plain decimal: `Decimal.parse` decides.
 */
export function scanDecimal(text: string): number {
  const length = text.length;
  const first = text.charCodeAt(0) === 45 ? 1 : 0;
  if (length > 20 || length === first) return -1;
  let unscaled = 0;
  let point = -1;
  for (let i = first; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) unscaled = unscaled * 10 + digit;
    else if (digit === -2 && point < 0 && i > first && i < length - 1) point = i;
    else return -1;
  }
  // Doubles round monotonically: what exceeds 2^53-1 cannot have been rounded to something below it.
  if (unscaled > Number.MAX_SAFE_INTEGER) return -1;
  scanned[0] = first === 1 && unscaled !== 0 ? -unscaled : unscaled;
  return point < 0 ? 0 : length - 1 - point;
}

/** `value * 10^places` when that is a safe integer, else NaN. */
export function raiseSafe(value: number, places: number): number {
  if (value === 0) return 0;
  if (places >= POWERS.length) return Number.NaN;
  const raised = value * POWERS[places]!;
  return Math.abs(raised) <= Number.MAX_SAFE_INTEGER ? raised : Number.NaN;
}

/** Compares `a * 10^-aScale` with `b * 10^-bScale`; NaN when that cannot be told in safe integers. */
export function compareSafe(a: number, aScale: number, b: number, bScale: number): number {
  if (aScale === bScale) return a - b;
  return aScale < bScale ? raiseSafe(a, bScale - aScale) - b : a - raiseSafe(b, aScale - bScale);
}

function bigPower(places: number): bigint {
  return (BIG_POWERS[places] ??= 10n ** BigInt(places));
}

function raise(value: Unscaled, places: number): bigint {
  return places === 0 ? BigInt(value) : BigInt(value) * bigPower(places);
}

function narrow(value: bigint): Unscaled {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** An immutable exact decimal. */
export class Decimal {
  static readonly ZERO = new Decimal(0, 0);

  private constructor(
    readonly unscaled: Unscaled,
    /** Fractional digits of `unscaled`; trailing zeros are allowed. */
    readonly scale: number,
  ) {}

  /** `unscaled * 10^-scale`; a number must be a safe integer. */
  static of(unscaled: Unscaled, scale: number): Decimal {
    return new Decimal(typeof unscaled === 'bigint' ? narrow(unscaled) : unscaled + 0, scale);
  }

  /**
   * Parses plain decimal text: digits with an optional `-` and an optional fraction, any length.
   * Throws {@link WindowingError} `bad_decimal` for everything else.
   */
  static parse(text: string): Decimal {
    const scale = scanDecimal(text);
    if (scale >= 0) return new Decimal(scanned[0]!, scale);
    const match = PLAIN.exec(text);
    if (match === null) {
      throw new WindowingError(
        'bad_decimal',
        `"${text.slice(0, 100)}" is no plain decimal such as -12.50: let ingest type and write the rows of this topic`,
      );
    }
    const fraction = trimZeros(match[2] ?? '');
    return Decimal.of(BigInt(match[1]! + fraction), fraction.length);
  }

  /** About how much memory it takes. */
  get bytes(): number {
    return typeof this.unscaled === 'number' ? 56 : 96;
  }

  add(other: Decimal): Decimal {
    const scale = Math.max(this.scale, other.scale);
    const a = raise(this.unscaled, scale - this.scale);
    return Decimal.of(a + raise(other.unscaled, scale - other.scale), scale);
  }

  /** Below, equal to or above zero, as this is less than, equal to or greater than `other`. */
  compare(other: Decimal): number {
    if (typeof this.unscaled === 'number' && typeof other.unscaled === 'number') {
      const order = compareSafe(this.unscaled, this.scale, other.unscaled, other.scale);
      if (!Number.isNaN(order)) return order;
    }
    const scale = Math.max(this.scale, other.scale);
    const a = raise(this.unscaled, scale - this.scale);
    const b = raise(other.unscaled, scale - other.scale);
    return a < b ? -1 : a > b ? 1 : 0;
  }

  /** This divided by `n` (a positive integer), rounded to `digits` fractional digits, ties to the even neighbour. */
  divideHalfEven(n: bigint | number, digits = 6): Decimal {
    const up = Math.max(0, digits - this.scale);
    const down = Math.max(0, this.scale - digits);
    if (typeof this.unscaled === 'number' && typeof n === 'number') {
      const dividend = raiseSafe(this.unscaled, up);
      const divisor = raiseSafe(n, down);
      if (!Number.isNaN(dividend) && !Number.isNaN(divisor)) return new Decimal(divideSafe(dividend, divisor), digits);
    }
    return Decimal.of(divideBig(raise(this.unscaled, up), raise(n, down)), digits);
  }

  /** Plain text: no exponent, no trailing fractional zeros, no bare point, `-0` is `0`. */
  format(): string {
    if (this.scale === 0) return String(this.unscaled);
    const text = String(this.unscaled);
    const negative = text.charCodeAt(0) === 45;
    const digits = (negative ? text.slice(1) : text).padStart(this.scale + 1, '0');
    const whole = digits.slice(0, -this.scale);
    const fraction = trimZeros(digits.slice(-this.scale));
    return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
  }
}

function trimZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 48) end--;
  return digits.slice(0, end);
}

/** Safe integers only: `%` is exact for doubles, and so is the division of what it leaves. */
function divideSafe(dividend: number, divisor: number): number {
  const rest = dividend % divisor;
  const quotient = (dividend - rest) / divisor;
  const twice = Math.abs(rest) * 2;
  if (twice < divisor || (twice === divisor && quotient % 2 === 0)) return quotient;
  return quotient + (dividend < 0 ? -1 : 1);
}

function divideBig(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  const rest = dividend % divisor;
  const twice = (rest < 0n ? -rest : rest) * 2n;
  if (twice < divisor || (twice === divisor && quotient % 2n === 0n)) return quotient;
  return quotient + (dividend < 0n ? -1n : 1n);
}
