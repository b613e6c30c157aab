// `max`: the largest value as a number, never as text.
import type { Cell } from '#contracts';
import { accumulate } from '../testing.js';
import { max } from './max.js';

const of = (...cells: Cell[]) => accumulate(max, cells);

describe('max', () => {
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
    expect(max.result(of(...cells))).toBe('9007199254740993');
    expect(max.result(of(...cells.reverse()))).toBe('9007199254740993');
  });

  it('takes the larger of two that differ far behind the point', () => {
    expect(max.result(of('0.3', '0.30000000000000000000000001', '0.30'))).toBe('0.30000000000000000000000001');
    expect(max.result(of(12, '12.5', '11.75'))).toBe('12.5');
  });

  it('is null of no values, refuses what is no number', () => {
    expect([max.result(of(null, '')), max.encode(of())]).toEqual([null, null]);
    expect(() => of('1', 'x')).toThrow(expect.objectContaining({ code: 'bad_decimal' }));
    expect(() => max.decode('5.')).toThrow(expect.objectContaining({ code: 'bad_changelog' }));
  });
});
