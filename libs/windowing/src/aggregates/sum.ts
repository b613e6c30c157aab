// `sum`: the exact total of a column's values, null when there was none.
import { Decimal } from '../decimal.js';
import { DecimalSum } from '../decimal-sum.js';
import { OBJECT_BYTES } from '../heap-bytes.js';
import type { Aggregate } from './aggregate.js';
import { decodeDecimal } from './decode-decimal.js';

interface Sum {
  /** Null before the first value: a total of nothing is no 0. */
  total: DecimalSum | null;
}

export const sum: Aggregate<Sum> = {
  empty: () => ({ total: null }),
  clone: (sum) => ({ total: sum.total === null ? null : sum.total.clone() }),
  add(sum, cell) {
    if (cell !== null && cell !== '') (sum.total ??= DecimalSum.of(Decimal.ZERO)).add(cell);
  },
  merge(into, other) {
    if (other.total === null) return;
    if (into.total === null) into.total = other.total.clone();
    else into.total.merge(other.total);
  },
  bytes: (sum) => OBJECT_BYTES + (sum.total === null ? 0 : sum.total.bytes),
  result: (sum) => (sum.total === null ? null : sum.total.value().format()),
  encode: (sum) => (sum.total === null ? null : sum.total.value().format()),
  decode: (value) => ({ total: value === null ? null : DecimalSum.of(decodeDecimal(value)) }),
};
