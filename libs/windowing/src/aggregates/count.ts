// `count`: how many values a column has, or how many rows (`*`).
import type { Cell } from '#contracts';
import { WindowingError } from '../errors.js';
import type { Aggregate } from './aggregate.js';

const COUNT_BYTES = 32;

/** A number up to 2^53-1, a BigInt beyond. */
interface Count {
  n: number | bigint;
}

const plus = (a: number | bigint, b: number | bigint): number | bigint => {
  if (typeof a === 'number' && typeof b === 'number' && Number.isSafeInteger(a + b)) return a + b;
  return BigInt(a) + BigInt(b);
};

export const count: Aggregate<Count> = {
  empty: () => ({ n: 0 }),
  clone: (count) => ({ n: count.n }),
  add(count, cell: Cell) {
    if (cell !== null && cell !== '') count.n = plus(count.n, 1);
  },
  merge(into, other) {
    into.n = plus(into.n, other.n);
  },
  bytes: () => COUNT_BYTES,
  result: (count) => (typeof count.n === 'number' ? count.n : String(count.n)),
  encode: (count) => (typeof count.n === 'number' ? count.n : String(count.n)),
  decode(value) {
    if (Number.isSafeInteger(value) && (value as number) >= 0) return { n: value as number };
    if (typeof value === 'string' && /^[1-9]\d{15,}$/.test(value)) return { n: plus(BigInt(value), 0) };
    throw new WindowingError('bad_changelog', `no count: ${JSON.stringify(value)}`);
  },
};
