// The running total: the same as adding decimals one by one, over the border of 2^53 and back.
import fc from 'fast-check';
import { Decimal } from './decimal.js';
import { DecimalSum } from './decimal-sum.js';

const cell = fc.oneof(
  fc.integer({ min: -(10 ** 6), max: 10 ** 6 }),
  fc.maxSafeInteger(),
  fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: 0, max: 999 })).map(([a, b]) => `${a}.${b}`),
  fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }).map(String),
  fc.nat({ max: 999 }).map((n) => `0.${'0'.repeat(20)}${n}`),
);
const sumOf = (cells: readonly (string | number)[]) => {
  const sum = DecimalSum.of(Decimal.ZERO);
  for (const value of cells) sum.add(value);
  return sum;
};
const oracle = (cells: readonly (string | number)[]) =>
  cells.reduce((total, value) => total.add(Decimal.parse(String(value))), Decimal.ZERO).format();

describe('DecimalSum', () => {
  it('adds cells and merges totals exactly', () => {
    fc.assert(
      fc.property(fc.array(cell), fc.array(cell), (a, b) => {
        const sum = sumOf(a);
        sum.merge(sumOf(b));
        expect(sum.value().format()).toBe(oracle([...a, ...b]));
      }),
    );
  });

  it('crosses 2^53-1 and comes back', () => {
    const sum = sumOf([Number.MAX_SAFE_INTEGER, 2]);
    expect(sum.value().format()).toBe('9007199254740993');
    sum.add('-9007199254740992.5');
    expect(sum.value().unscaled).toBe(5);
  });

  it('clones: neither sees what the other adds', () => {
    const sum = sumOf(['90071992547409930', '0.5']);
    const copy = sum.clone();
    sum.add(1);
    copy.add('0.25');
    expect([sum.value().format(), copy.value().format()]).toEqual(['90071992547409931.5', '90071992547409930.75']);
  });

  it.each([true, 1.5e-7, Number.NaN, 'x'])('refuses %p and stays as it was', (bad) => {
    const sum = sumOf([1]);
    expect(() => sum.add(bad)).toThrow(expect.objectContaining({ code: 'bad_decimal' }));
    expect(sum.value().format()).toBe('1');
  });
});
