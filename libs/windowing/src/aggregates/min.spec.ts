// `min`: the smallest value as a number, never as text.
import type { Cell } from '#contracts';
import { accumulate } from '../testing.js';
import { min } from './min.js';

const of = (...cells: Cell[]) => accumulate(min, cells);

describe('min', () => {
  it('compares numbers, over scales and beyond 2^53-1', () => {
    const cells = [
      '9',
      '10',
      '9007199254740992',
      '-1200.50',
      null,
      '9007199254740993',
      9007199254740991,
      '',
      '-1200.4',
    ];
    expect(min.result(of(...cells))).toBe('-1200.5');
    expect(min.result(of(...cells.reverse()))).toBe('-1200.5');
  });

  it('takes the smaller of two that differ far behind the point', () => {
    expect(min.result(of('0.30000000000000000000000001', '0.3', '0.30'))).toBe('0.3');
    expect(min.result(of(12, '12.5', '11.75'))).toBe('11.75');
  });

  it('is null of no values, refuses what is no number', () => {
    expect([min.result(of(null, '')), min.encode(of())]).toEqual([null, null]);
    expect(() => of('1', 'x')).toThrow(expect.objectContaining({ code: 'bad_decimal' }));
    expect(() => min.decode(5)).toThrow(expect.objectContaining({ code: 'bad_changelog' }));
  });
});
