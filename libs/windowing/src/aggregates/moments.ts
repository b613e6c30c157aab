// What `variance` and `stddev` share: number, exact sum and exact sum of squares; nothing is rounded before the result.
import { Decimal } from '../decimal.js';
import { DecimalSum } from '../decimal-sum.js';
import { WindowingError } from '../errors.js';
import { OBJECT_BYTES } from '../heap-bytes.js';
import type { Aggregate } from './aggregate.js';
import { decodeDecimal } from './decode-decimal.js';

export interface Moments {
  n: number;
  sum: DecimalSum;
  squares: DecimalSum;
}

/** `numerator * 10^-scale / denominator`, never negative. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
  readonly scale: number;
}

/** Sample variance, `(n Q - S^2) / (n (n - 1))`, exactly; null of fewer than two values, as in Spark and SQL. */
export function sampleVariance({ n, sum, squares }: Moments): Fraction | null {
  if (n < 2) return null;
  const count = BigInt(n);
  const [s, q] = [sum.value(), squares.value()];
  const scale = Math.max(2 * s.scale, q.scale);
  const numerator = count * raise(q, scale) - BigInt(s.unscaled) ** 2n * 10n ** BigInt(scale - 2 * s.scale);
  return { numerator, denominator: count * (count - 1n), scale };
}

const raise = (value: Decimal, scale: number): bigint => BigInt(value.unscaled) * 10n ** BigInt(scale - value.scale);

/** The aggregate whose result is made of the exact variance. */
export function ofVariance(result: (variance: Fraction) => Decimal): Aggregate<Moments> {
  const empty = () => ({ n: 0, sum: DecimalSum.of(Decimal.ZERO), squares: DecimalSum.of(Decimal.ZERO) });
  return {
    empty,
    clone: ({ n, sum, squares }) => ({ n, sum: sum.clone(), squares: squares.clone() }),
    add(moments, cell) {
      if (cell === null || cell === '') return;
      moments.n++;
      moments.sum.add(cell);
      moments.squares.addSquare(cell);
    },
    merge(into, other) {
      into.n += other.n;
      into.sum.merge(other.sum);
      into.squares.merge(other.squares);
    },
    bytes: ({ sum, squares }) => OBJECT_BYTES + sum.bytes + squares.bytes,
    result(moments) {
      const variance = sampleVariance(moments);
      return variance === null ? null : result(variance).format();
    },
    encode: ({ n, sum, squares }) => (n === 0 ? null : [n, sum.value().format(), squares.value().format()]),
    decode(value) {
      if (value === null) return empty();
      const [n, sum, squares] = Array.isArray(value) ? (value as unknown[]) : [];
      if (!Number.isSafeInteger(n) || (n as number) < 1) {
        throw new WindowingError('bad_changelog', `no number of values: ${JSON.stringify(n)}`);
      }
      const [s, q] = [decodeDecimal(sum), decodeDecimal(squares)];
      return { n: n as number, sum: DecimalSum.of(s), squares: DecimalSum.of(q) };
    },
  };
}
