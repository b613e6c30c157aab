// What `min` and `max` share: the best value so far. Cells that do not win allocate nothing.
import type { Cell } from '#contracts';
import { compareSafe, Decimal, scanDecimal, scanned } from '../decimal.js';
import { OBJECT_BYTES } from '../heap-bytes.js';
import type { Aggregate } from './aggregate.js';
import { decodeDecimal } from './decode-decimal.js';

export interface Extreme {
  /** Null before the first value. */
  best: Decimal | null;
}

/** `sign` 1 keeps the largest value, -1 the smallest. */
export function extreme(sign: 1 | -1): Aggregate<Extreme> {
  const offer = (into: Extreme, value: Decimal): void => {
    if (into.best === null || value.compare(into.best) * sign > 0) into.best = value;
  };
  return {
    empty: () => ({ best: null }),
    clone: (extreme) => ({ best: extreme.best }),
    add(extreme, cell) {
      if (cell === null || cell === '') return;
      if (extreme.best !== null && loses(cell, extreme.best, sign)) return;
      offer(extreme, Decimal.parse(String(cell)));
    },
    merge(into, other) {
      if (other.best !== null) offer(into, other.best);
    },
    bytes: ({ best }) => OBJECT_BYTES + (best === null ? 0 : best.bytes),
    result: (extreme) => (extreme.best === null ? null : extreme.best.format()),
    encode: (extreme) => (extreme.best === null ? null : extreme.best.format()),
    decode: (value) => ({ best: value === null ? null : decodeDecimal(value) }),
  };
}

/** True when the cell certainly does not beat `best`; where safe integers cannot tell, false. */
function loses(cell: Exclude<Cell, null>, best: Decimal, sign: 1 | -1): boolean {
  if (typeof cell !== 'string' || typeof best.unscaled !== 'number') return false;
  const scale = scanDecimal(cell);
  return scale >= 0 && compareSafe(scanned[0]!, scale, best.unscaled, best.scale) * sign <= 0;
}
