// `top_k` against exact counts: exact while its values fit, and within the stated bound beyond.
import { ACCUMULATOR_BYTES, type TopValue } from '#contracts';
import { accumulate, mergedParts, seededNumbers } from '../testing.js';
import { topK } from './top-k.js';

const k = 10;
const top = topK(k);
const exactCounts = (cells: readonly string[]) => {
  const counts = new Map<string, number>();
  for (const cell of cells) counts.set(cell, (counts.get(cell) ?? 0) + 1);
  return counts;
};
const exactTop = (cells: readonly string[]): TopValue[] =>
  [...exactCounts(cells)]
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, k)
    .map(([value, count]) => ({ value, count }));

/** Skewed: the value i has about 1 / i of the rows. */
const zipf = (n: number, distinct: number, random: () => number, name: (i: number) => string) =>
  Array.from({ length: n }, () => name(Math.floor(Math.exp(random() * Math.log(distinct)))));

describe('top_k', () => {
  it('names the most frequent first, equal ones by their text; of no values it is null', () => {
    expect(topK(2).result(accumulate(topK(2), ['c', null, 'b', 'a', 'b', '', 'a', 7]))).toEqual([
      { value: 'a', count: 2 },
      { value: 'b', count: 2 },
    ]);
    expect(top.result(accumulate(top, [null]))).toBeNull();
    expect(top.result(accumulate(top, [true, 7, true]))).toEqual([
      { value: 'true', count: 2 },
      { value: '7', count: 1 },
    ]);
  });

  it('is exact while its values fit, in any parts', () => {
    const cells = zipf(20_000, 512, seededNumbers(1), (i) => `valor ${i}`);
    expect(top.result(accumulate(top, cells))).toEqual(exactTop(cells));
    expect(top.encode(mergedParts(top, cells, 6))).toEqual(top.encode(accumulate(top, cells)));
  });

  it.each([
    ['short values', 513, (i: number) => `v${i}`],
    ['long values', 104, (i: number) => `${i}`.padEnd(400, 'á')],
    ['control characters', 104, (i: number) => `${i}${'\u0001'.repeat(200)}`],
  ])('never counts too high, nor too low by more than its bound: %s', (_, room, name) => {
    for (const seed of [1, 2]) {
      const cells = zipf(8_000, 10_000, seededNumbers(seed), name);
      const exact = exactCounts(cells);
      const byBeginning = new Map([...exact].map(([value, count]) => [top.result(accumulate(top, [value])), count]));
      const shown = new Map([...byBeginning].map(([result, count]) => [(result as TopValue[])[0]!.value, count]));
      for (const held of [accumulate(top, cells), mergedParts(top, cells, 4)]) {
        const result = new Map((top.result(held) as TopValue[]).map(({ value, count }) => [value, count]));
        const bound = cells.length / room;
        for (const [value, count] of result) {
          expect(count).toBeLessThanOrEqual(shown.get(value)!);
          expect(count).toBeGreaterThanOrEqual(shown.get(value)! - bound);
        }
        // Whoever has more than the last that is shown could have, is shown.
        const least = Math.min(...result.values());
        for (const [value, count] of shown) if (count > least + bound) expect([...result.keys()]).toContain(value);
        expect(Buffer.byteLength(JSON.stringify(top.encode(held)))).toBeLessThanOrEqual(ACCUMULATOR_BYTES.top_k);
      }
    }
  });

  it('keeps long values apart that begin alike', () => {
    const [one, other] = ['x'.repeat(300), `${'x'.repeat(299)}y`];
    const result = top.result(accumulate(top, [one, one, other])) as TopValue[];
    expect(result.map(({ count }) => count)).toEqual([2, 1]);
    expect(result[0]!.value).toMatch(/^x{237}…[0-9a-f]{16}$/);
    expect(top.result(accumulate(top, ['x'.repeat(256)]))).toEqual([{ value: 'x'.repeat(256), count: 1 }]);
  });
});
