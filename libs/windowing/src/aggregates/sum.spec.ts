// `sum`: exact totals of decimals and integers.
import type { Cell } from '#contracts';
import { accumulate, place } from '../testing.js';
import { sum } from './sum.js';

const summed = (...cells: Cell[]) => accumulate(sum, cells);

describe('sum', () => {
  it.each([
    [['50000', '120000', '25000'], '195000'],
    [['0.1', '0.2'], '0.3'],
    [['0.10', null, '-0.1', ''], '0'],
    [[9007199254740991, 1, '9007199254740993'], '18014398509481985'],
    [['-0'], '0'],
  ])('of %j is %s', (cells, total) => {
    expect(sum.result(summed(...cells))).toBe(total);
  });

  it('is null of no values', () => {
    expect([sum.result(summed()), sum.result(summed(null, ''))]).toEqual([null, null]);
    expect(sum.encode(summed(null))).toBeNull();
  });

  it('merges into an empty one without sharing', () => {
    const [into, other] = [summed(), summed('1.5')];
    sum.merge(into, other);
    sum.add(into, '1', place());
    expect([sum.result(into), sum.result(other)]).toEqual(['2.5', '1.5']);
  });

  it.each([1, 'x', [], undefined])('does not decode %j', (value) => {
    expect(() => sum.decode(value)).toThrow(expect.objectContaining({ code: 'bad_changelog' }));
  });
});
