// `first` and `last`: by event time, then upload, then row; the cell as the row has it.
import type { Cell } from '#contracts';
import { first, last } from './first-last.js';

type Placed = [cell: Cell, time: number, upload: string, row: number];
const of = (aggregate: typeof first, cells: readonly Placed[]) => {
  const accumulator = aggregate.empty();
  for (const [cell, time, upload, row] of cells) aggregate.add(accumulator, cell, { time, upload, row });
  return aggregate.result(accumulator);
};
const edges = (...cells: Placed[]) => [of(first, cells), of(last, cells), of(first, [...cells].reverse())];

describe('first and last', () => {
  it('go by time before upload before row, all compared as what they are', () => {
    expect(edges(['b', 10, 'u1', 1], ['a', 9, 'u2', 9])).toEqual(['a', 'b', 'a']);
    expect(edges(['b', 5, 'u2', 1], ['a', 5, 'u1', 9])).toEqual(['a', 'b', 'a']);
    expect(edges(['b', 5, 'u1', 10], ['a', 5, 'u1', 9])).toEqual(['a', 'b', 'a']);
    expect(edges(['b', 0, 'u1', 1], ['a', -1, 'u1', 2])).toEqual(['a', 'b', 'a']);
  });

  it('skip null and empty values; of no values they are null', () => {
    expect(edges([null, 1, 'u1', 1], ['', 9, 'u1', 2], ['x', 5, 'u1', 3])).toEqual(['x', 'x', 'x']);
    expect(edges([null, 1, 'u1', 1])).toEqual([null, null, null]);
  });

  it('keep the type that the row has, false and 0 too', () => {
    expect(edges([false, 1, 'u1', 1], [0, 2, 'u1', 2])).toEqual([false, 0, false]);
    expect(edges(['9007199254740993', 1, 'u1', 1], [true, 2, 'u1', 2])).toEqual([
      '9007199254740993',
      true,
      '9007199254740993',
    ]);
  });

  it('cut a long text at a whole character: as JSON it has at most 4 KiB', () => {
    expect(of(first, [['é'.repeat(2_048), 1, 'u1', 1]])).toBe('é'.repeat(2_048));
    expect(of(first, [[`${'é'.repeat(2_048)}x`, 1, 'u1', 1]])).toBe('é'.repeat(2_048));
    expect(of(first, [['\u0001'.repeat(4_096), 1, 'u1', 1]])).toBe('\u0001'.repeat(682));
    expect(of(first, [['😀'.repeat(4_096), 1, 'u1', 1]])).toBe('😀'.repeat(341));
  });
});
