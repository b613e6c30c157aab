// `avg`: exact total over number of values, rounded once, half-even.
import type { Cell } from '#contracts';
import { accumulate } from '../testing.js';
import { avg } from './avg.js';

const averaged = (...cells: Cell[]) => accumulate(avg, cells);

describe('avg', () => {
  it.each([
    [['50000', '120000', '25000'], '65000'],
    [['10', 0, null, '', '0'], '3.333333'],
    [['0.1', '0.2'], '0.15'],
    [['0.000001', '0.000000'], '0'],
    [['0.000003', '0.000000'], '0.000002'],
    [['0.0000005', '0.0000000'], '0'],
    [['-0.0000015'], '-0.000002'],
    [['9007199254740993', 9007199254740991], '9007199254740992'],
  ])('of %j is %s', (cells, average) => {
    expect(avg.result(averaged(...cells))).toBe(average);
  });

  it('is null of no values', () => {
    expect([avg.result(averaged(null)), avg.encode(averaged(null)), avg.result(avg.decode(null))]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('keeps total and number, never the rounded average', () => {
    expect(avg.encode(averaged('10', '0', '0'))).toEqual(['10', 3]);
  });

  it.each([['x'], ['1', 0], ['1', 1.5], [1, 1], '1'].map((value) => [value]))('does not decode %j', (value) => {
    expect(() => avg.decode(value)).toThrow(expect.objectContaining({ code: 'bad_changelog' }));
  });
});
