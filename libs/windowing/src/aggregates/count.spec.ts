// `count`: values of a column, or rows; a number up to 2^53-1 and text beyond.
import type { Cell } from '#contracts';
import { accumulate, place } from '../testing.js';
import { count } from './count.js';

const counted = (...cells: Cell[]) => accumulate(count, cells);

describe('count', () => {
  it('counts values, not nulls or empty texts; false and 0 are values', () => {
    expect(count.result(counted())).toBe(0);
    expect(count.result(counted('a', null, '', 'a', 0, false, true))).toBe(5);
  });

  it('is exact beyond 2^53-1, as text', () => {
    const huge = count.decode(Number.MAX_SAFE_INTEGER);
    expect(count.result(huge)).toBe(9007199254740991);
    count.add(huge, 'x', place());
    expect(count.result(huge)).toBe('9007199254740992');
    count.merge(huge, counted('x'));
    expect(count.encode(huge)).toBe('9007199254740993');
    expect(count.result(count.decode('9007199254740993'))).toBe('9007199254740993');
  });

  it.each([null, -1, 1.5, '5', 'x', [1], '-9007199254740993'])('does not decode %j', (value) => {
    expect(() => count.decode(value)).toThrow(expect.objectContaining({ code: 'bad_changelog' }));
  });
});
