// `approx_quantile` against sorted values, and against another implementation of DDSketch.
import { DDSketch } from '@datadog/sketches-js';
import fc from 'fast-check';
import { ACCUMULATOR_BYTES } from '#contracts';
import { accumulate, mergedParts, seededNumbers } from '../testing.js';
import { approxQuantile } from './approx-quantile.js';
import { QuantileBins } from './quantile-bins.js';

const QS = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1];
const exact = (sorted: readonly number[], q: number) => sorted[Math.floor(q * (sorted.length - 1))]!;
const estimate = (cells: readonly string[], q: number) =>
  Number(approxQuantile(q).result(accumulate(approxQuantile(q), cells)));

function expectWithin(cells: readonly string[], accuracy: number): void {
  const sorted = cells.map(Number).sort((a, b) => a - b);
  for (const q of QS) {
    const value = exact(sorted, q);
    expect(Math.abs(estimate(cells, q) - value)).toBeLessThanOrEqual(Math.abs(value) * accuracy + Number.MIN_VALUE);
  }
}

const SHAPES: Record<string, (random: () => number) => string> = {
  uniform: (random) => (random() * 1000).toFixed(2),
  'negative and zero too': (random) => Math.round((random() - 0.5) * 200).toString(),
  'over 14 powers of ten': (random) => (10 ** (random() * 14 - 2)).toFixed(4),
  'few values': (random) => String(Math.floor(random() * 3) * 1_000_000),
};

describe('approx_quantile', () => {
  it.each(Object.keys(SHAPES))('is at most 1 %% off: %s', (shape) => {
    for (const seed of [1, 2, 3]) {
      const random = seededNumbers(seed);
      expectWithin(
        Array.from({ length: 5_000 }, () => SHAPES[shape]!(random)),
        0.01,
      );
    }
  });

  it('of any decimals is at most 1 % off, the smallest and the largest exact', () => {
    const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), fc.nat({ max: 9 }));
    fc.assert(
      fc.property(
        fc.array(
          decimal.map(([a, b]) => `${a}.${b}`),
          { minLength: 1, maxLength: 50 },
        ),
        (cells) => {
          expectWithin(cells, 0.01);
          const byValue = [...cells].sort((a, b) => Number(a) - Number(b));
          expect(estimate(cells, 0)).toBe(Number(byValue[0]));
          expect(estimate(cells, 1)).toBe(Number(byValue.at(-1)));
        },
      ),
    );
  });

  it('is the value itself where there is but one, and plain text always', () => {
    const of = (...cells: string[]) => approxQuantile(0.5).result(accumulate(approxQuantile(0.5), cells));
    expect([of(), of('10'), of('-0.30', '-0.3')]).toEqual([null, '10', '-0.3']);
    expect(of('1', '100000000000000000000000000000', '1e0'.slice(0, 1))).toBe('1');
    expect(of('1', '123456789012345678901234567890', '999999999999999999999999999999999')).toMatch(/^12\d{7}0{21}$/);
    expect(of('-1', '0.000000000000000123', '5')).toMatch(/^0\.0{15}12\d*$/);
  });

  it('agrees with another DDSketch of the same accuracy', () => {
    const random = seededNumbers(7);
    const values = Array.from({ length: 3_000 }, () => Number((random() * 10 ** (random() * 6)).toFixed(2)));
    const other = new DDSketch({ relativeAccuracy: 0.0099 });
    const bins = new QuantileBins();
    for (const value of values) {
      other.accept(value);
      bins.add(value, 1);
    }
    for (const q of QS) {
      expect(bins.valueAt(Math.floor(q * (values.length - 1)))).toBeCloseTo(other.getValueAtQuantile(q), 6);
    }
  });

  it.each([10, 1_000, 8_000])('has the same bins in any order and any parts, and bounded ones: %i values', (n) => {
    const random = seededNumbers(n);
    // All that 38 digits on each side allow: more bins than there may be, so that they become coarser on the way.
    const cells = Array.from({ length: n }, () => {
      const digits = String(1 + Math.floor(random() * 8_999_999));
      const zeros = '0'.repeat(Math.floor(random() * 31));
      return (random() < 0.5 ? '-' : '') + (random() < 0.5 ? `0.${zeros}${digits}` : digits + zeros);
    });
    const quantile = approxQuantile(0.5);
    const whole = JSON.stringify(quantile.encode(accumulate(quantile, cells)));
    expect(JSON.stringify(quantile.encode(accumulate(quantile, [...cells].reverse())))).toBe(whole);
    expect(JSON.stringify(quantile.encode(mergedParts(quantile, cells, 5)))).toBe(whole);
    expect(whole.length).toBeLessThanOrEqual(ACCUMULATOR_BYTES.approx_quantile);
    expectWithin(cells, n > 1_000 ? 0.16 : 0.01);
  });

  it('fits its bytes when every bin has the largest count', () => {
    const bins = new QuantileBins();
    const each = Math.floor(Number.MAX_SAFE_INTEGER / 1_792);
    for (let i = 0; i < 1_792; i++) bins.add((i % 2 === 0 ? -1 : 1) * 10 ** ((i / 1_792) * 76 - 38), each);
    expect(bins.size).toBe(1_792);
    const sketch = { ...accumulate(approxQuantile(0.5), ['-1.1', '1.1']), bins };
    const text = JSON.stringify(approxQuantile(0.5).encode(sketch));
    expect(text.length).toBeLessThanOrEqual(ACCUMULATOR_BYTES.approx_quantile - 2 * 78);
  });
});
