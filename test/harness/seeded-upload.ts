// Files made from a seed, for the pipeline `vendas`: the oracle makes every row again by its number, so that nothing of
// what Caudal answers is needed to know what it should answer.

/** A small generator (mulberry32): the same seed gives the same numbers everywhere. */
export class Random {
  constructor(private state: number) {}

  /** From 0 up to, not including, `below`. */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** From `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

export interface Sale {
  id: string;
  timeMs: number;
  city: string;
  /** Null: the value is empty. */
  cents: bigint | null;
}

export interface UploadShape {
  seed: number;
  rows: number;
  /** How many cities there are; the first ones come more often. Default 150. */
  cities?: number;
  /** Its rows lie in so many hours. Default 6. */
  hours?: number;
  /** Place among the uploads of its stack: each lies later than the one before, so that windows close on the way. */
  place: number;
  /** One row in so many is from the hours of the uploads before: late for the view that closes. Default 97. */
  lateEvery?: number;
}

const FIRST_MS = Date.UTC(2024, 0, 1);
const HOUR_MS = 3_600_000;
const STRIDE_HOURS = 200;

export class SeededUpload {
  readonly rows: number;
  private readonly sales: Sale[] = [];

  constructor(readonly shape: UploadShape) {
    const { seed, rows, cities = 150, hours = 6, place, lateEvery = 97 } = shape;
    const random = new Random(seed);
    this.rows = rows;
    const startMs = FIRST_MS + place * STRIDE_HOURS * HOUR_MS;
    for (let at = 0; at < rows; at++) {
      const isOld = place > 0 && random.below(lateEvery) === 0;
      const timeMs = startMs - (isOld ? STRIDE_HOURS * HOUR_MS : 0) + random.below(hours * HOUR_MS);
      const city = `Cidade ${Math.min(random.below(cities), random.below(cities))}`;
      const cents = random.below(50) === 0 ? null : BigInt(random.between(-20_000, 1_000_000));
      this.sales.push({ id: `${seed}-${at + 1}`, timeMs, city, cents });
    }
  }

  /** By its 1-based number in the file. */
  row(number: number): Sale | undefined {
    return this.sales[number - 1];
  }

  get streamTimeMs(): number {
    return this.sales.reduce((latest, { timeMs }) => Math.max(latest, timeMs), Number.NEGATIVE_INFINITY);
  }

  /** The same rows in another order. */
  shuffled(seed: number): SeededUpload {
    const random = new Random(seed);
    const other = new SeededUpload({ ...this.shape, rows: 0 });
    Object.assign(other, { rows: this.rows });
    other.sales.push(...this.sales);
    for (let at = other.sales.length - 1; at > 0; at--) {
      const from = random.below(at + 1);
      [other.sales[at], other.sales[from]] = [other.sales[from]!, other.sales[at]!];
    }
    return other;
  }

  csv(): string {
    const lines = ['id,vendido_em,cidade,valor'];
    for (const { id, timeMs, city, cents } of this.sales) {
      lines.push(`${id},${new Date(timeMs).toISOString()},${city},${cents === null ? '' : plainDecimal(cents, 2)}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

/** `units` of 10^-digits as the contract writes numbers: no trailing zeros, no bare point, no minus zero. */
export function plainDecimal(units: bigint, digits: number): string {
  const isNegative = units < 0n;
  const text = String(isNegative ? -units : units).padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  return `${isNegative ? '-' : ''}${text.slice(0, -digits)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Cents over a count with 6 fractional digits, half to even. */
export function averageOf(cents: bigint, count: bigint): string {
  const scaled = cents * 10_000n;
  const sign = scaled < 0n ? -1n : 1n;
  const size = scaled * sign;
  let quotient = size / count;
  const twice = (size % count) * 2n;
  if (twice > count || (twice === count && quotient % 2n === 1n)) quotient += 1n;
  return plainDecimal(quotient * sign, 6);
}
