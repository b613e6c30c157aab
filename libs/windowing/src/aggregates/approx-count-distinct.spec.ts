// `approx_count_distinct` against exact numbers. The standard error is 1.6 %: over many seeds, hardly any estimate may be
// off by more than three of them, and together they must not lean to one side.
import { ACCUMULATOR_BYTES } from '#contracts';
import { accumulate, mergedParts } from '../testing.js';
import { approxCountDistinct as distinct } from './approx-count-distinct.js';

const STANDARD_ERROR = 1.04 / Math.sqrt(4096);
const KINDS: Record<string, (seed: number, i: number) => string | number> = {
  'numbers in a row': (seed, i) => seed * 10_000_000 + i,
  'long texts with one end': (seed, i) => `${seed}-${i}-empresa-de-pequeno-porte-em-sao-paulo`,
  'scattered numbers': (seed, i) => `${seed}/${(i * 2_654_435_761) % 2 ** 32}`,
};
const values = (kind: string, seed: number, n: number) => Array.from({ length: n }, (_, i) => KINDS[kind]!(seed, i));
const errors = (kind: string, n: number, seeds: number) =>
  Array.from({ length: seeds }, (_, seed) => {
    const estimate = distinct.result(accumulate(distinct, values(kind, seed, n))) as number;
    return (estimate - n) / n;
  });

describe('approx_count_distinct', () => {
  it('is exact of none, one and a few; repeats, nulls and empty values do not count', () => {
    expect(distinct.result(distinct.empty())).toBe(0);
    expect(distinct.result(accumulate(distinct, ['a', 'a', null, '', 'b', false, 'a']))).toBe(3);
    expect(distinct.result(accumulate(distinct, values('numbers in a row', 1, 40)))).toBe(40);
  });

  it.each(Object.keys(KINDS).flatMap((kind) => [300, 3_000, 12_000, 60_000].map((n) => [kind, n] as const)))(
    'stays within its error: %s, %i of them',
    (kind, n) => {
      const seeds = n > 10_000 ? 8 : 30;
      const off = errors(kind, n, seeds);
      const far = off.filter((error) => Math.abs(error) > 3 * STANDARD_ERROR).length;
      const mean = off.reduce((a, b) => a + b, 0) / seeds;
      expect(far).toBeLessThanOrEqual(Math.ceil(seeds / 30));
      expect(Math.abs(mean)).toBeLessThan((4 * STANDARD_ERROR) / Math.sqrt(seeds));
    },
  );

  it.each([100, 700, 5_000, 100_000])('has the same registers in any order and any parts: %i values', (n) => {
    const cells = values('numbers in a row', 3, n);
    const whole = distinct.encode(accumulate(distinct, cells));
    expect(distinct.encode(accumulate(distinct, [...cells].reverse()))).toBe(whole);
    expect(distinct.encode(mergedParts(distinct, cells, 7))).toBe(whole);
    expect(JSON.stringify(whole).length).toBeLessThanOrEqual(ACCUMULATOR_BYTES.approx_count_distinct);
  });

  it('keeps its hash: encoded sketches of earlier versions must go on to count', () => {
    expect(distinct.encode(accumulate(distinct, ['São Paulo', 'Rio de Janeiro', 42]))).toBe('VnCZAC12E');
  });
});
