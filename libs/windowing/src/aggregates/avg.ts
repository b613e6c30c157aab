// `avg`: exact total over number of values, 6 fractional digits, half-even; null when there was no value.
// Total and number are kept, never the average: that is what makes it exact and mergeable.
import { Decimal } from '../decimal.js';
import { DecimalSum } from '../decimal-sum.js';
import { WindowingError } from '../errors.js';
import { OBJECT_BYTES } from '../heap-bytes.js';
import type { Aggregate } from './aggregate.js';
import { decodeDecimal } from './decode-decimal.js';

const AVG_DIGITS = 6;

interface Avg {
  total: DecimalSum;
  /** Values seen; no topic holds 2^53 of them. */
  n: number;
}

export const avg: Aggregate<Avg> = {
  empty: () => ({ total: DecimalSum.of(Decimal.ZERO), n: 0 }),
  clone: (avg) => ({ total: avg.total.clone(), n: avg.n }),
  add(avg, cell) {
    if (cell === null || cell === '') return;
    avg.total.add(cell);
    avg.n++;
  },
  merge(into, other) {
    into.total.merge(other.total);
    into.n += other.n;
  },
  bytes: ({ total }) => OBJECT_BYTES + total.bytes,
  result: (avg) => (avg.n === 0 ? null : avg.total.value().divideHalfEven(avg.n, AVG_DIGITS).format()),
  encode: (avg) => (avg.n === 0 ? null : [avg.total.value().format(), avg.n]),
  decode(value) {
    if (value === null) return avg.empty();
    const [total, n] = Array.isArray(value) ? (value as unknown[]) : [];
    if (!Number.isSafeInteger(n) || (n as number) < 1) {
      throw new WindowingError('bad_changelog', `no average: ${JSON.stringify(value)}`);
    }
    return { total: DecimalSum.of(decodeDecimal(total)), n: n as number };
  },
};
