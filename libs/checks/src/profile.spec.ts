import fc from 'fast-check';
import { LIMITS, type Cell } from '#contracts';
import { alignCategories, alignNumbers } from './align.js';
import { ColumnProfile } from './column-profile.js';
import { DistinctCount, HyperLogLog } from './distinct.js';
import { ExactSum } from './exact-sum.js';
import { hashNumber, hashText } from './hash.js';
import { Histogram } from './histogram.js';
import { isoMs } from './iso-ms.js';
import { decodeColumns, encodeColumns, Profile } from './profile.js';
import { Rational } from './rational.js';

const numRuns = Number(process.env.CAUDAL_CASES ?? 60);
const MOST = 20;

const decimal = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: 0, max: 8 }))
  .map(([units, scale]) => Rational.of(units, 10n ** BigInt(scale)))
  .map((value) => decimalText(value));
const shortDecimal = fc
  .tuple(fc.integer({ min: -5_000, max: 5_000 }), fc.integer({ min: 0, max: 3 }))
  .map(([n, s]) => decimalText(Rational.of(BigInt(n), 10n ** BigInt(s))));
const moment = fc
  .date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((date) => date.toISOString());
const COLUMNS = {
  decimal: fc.oneof(decimal, shortDecimal),
  integer: fc.oneof(fc.integer({ min: -50, max: 50 }), fc.maxSafeInteger()),
  string: fc.oneof(fc.constantFrom('SP', 'RJ', ''), fc.string(), fc.string({ minLength: 60, maxLength: 80 })),
  timestamp: moment,
  boolean: fc.boolean(),
} as const;

function decimalText(value: Rational): string {
  const negative = value.sign < 0;
  const { numerator, denominator } = value.abs();
  let scale = 0;
  while (10n ** BigInt(scale) % denominator !== 0n) scale++;
  const digits = String((numerator * 10n ** BigInt(scale)) / denominator).padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return negative ? `-${text}` : text;
}

function profileOf(type: keyof typeof COLUMNS, cells: readonly Cell[]): ColumnProfile {
  const profile = new ColumnProfile(type, MOST);
  for (const cell of cells) profile.add(cell);
  return profile;
}

describe.each(Object.keys(COLUMNS) as (keyof typeof COLUMNS)[])('profile of a %s column', (type) => {
  const cells = fc.array(fc.option(COLUMNS[type] as fc.Arbitrary<Cell>, { nil: null, freq: 6 }), { maxLength: 60 });

  it('merges to what one pass over both gives', () => {
    fc.assert(
      fc.property(cells, cells, (a, b) => {
        const merged = profileOf(type, a).merge(profileOf(type, b)).toJSON();
        const whole = profileOf(type, [...a, ...b]).toJSON();
        const rest = { moments: null };
        expect({ ...merged, ...rest }).toEqual({ ...whole, ...rest });
        // Means and spreads are doubles: equal but for rounding.
        merged.moments?.forEach((value, i) => {
          const expected = whole.moments![i]!;
          expect(Math.abs(value - expected)).toBeLessThanOrEqual(
            1e-9 * Math.max(1, Math.abs(expected), (whole.moments![1] ?? 0) ** 2 * whole.count),
          );
        });
      }),
      { numRuns },
    );
  });

  it('is the same when it has been kept as JSON', () => {
    fc.assert(
      fc.property(cells, (all) => {
        const profile = profileOf(type, all);
        const kept = ColumnProfile.fromJSON(JSON.parse(JSON.stringify(profile.toJSON())), MOST);
        expect(kept.toJSON()).toEqual(profile.toJSON());
      }),
      { numRuns: Math.ceil(numRuns / 4) },
    );
  });

  it('knows the smallest and the largest value', () => {
    const order = (x: Cell, y: Cell) =>
      type === 'decimal' || type === 'integer'
        ? Rational.parse(String(x)).compare(Rational.parse(String(y)))
        : String(x) < String(y)
          ? -1
          : 1;
    fc.assert(
      fc.property(cells, (all) => {
        const profile = profileOf(type, all);
        const values = all.filter((cell) => cell !== null).sort(order);
        expect([profile.min, profile.max, profile.nulls]).toEqual([
          values.length === 0 ? null : String(values[0]),
          values.length === 0 ? null : String(values.at(-1)),
          all.length - values.length,
        ]);
      }),
      { numRuns },
    );
  });
});

describe('profile of a file', () => {
  it('stays within its bytes, whatever the columns hold, and keeps every count', () => {
    for (const [columns, rows] of [
      [1_000, 30],
      [40, 600],
    ] as const) {
      const profile = new Profile(
        Array.from({ length: columns }, (_, i) => ({ name: `coluna_${i}`, type: i % 2 ? 'string' : 'decimal' })),
      );
      for (let row = 0; row < rows; row++) {
        profile.add(
          Array.from({ length: columns }, (_, i) =>
            i % 2 ? `\u0001ação ${row * 31} ${'x'.repeat(row % 70)}` : String((row * 7919) % 100_003),
          ),
        );
      }
      const json = encodeColumns(profile.columns, LIMITS.runPartBytes);
      expect(Buffer.byteLength(JSON.stringify(json))).toBeLessThanOrEqual(LIMITS.runPartBytes);
      for (const column of decodeColumns(json).values()) {
        expect(column.count).toBe(rows);
        expect(column.categories.hashed.reduce((sum, count) => sum + count, 0)).toBe(rows);
      }
    }
  });

  it('sees the narrowest type of texts', () => {
    const seen = (...texts: string[]) => profileOf('string', texts).seen;
    expect(seen('1', '-20')).toBe('integer');
    expect(seen('1', '2.5')).toBe('decimal');
    expect(seen('1,5')).toBe('decimal');
    expect(seen('2023-01-10', '2023-01-10 09:00:00')).toBe('timestamp');
    expect(seen('true', 'False')).toBe('boolean');
    expect(seen('1', 'dois')).toBe('string');
    expect(seen('true', '1')).toBe('string');
  });
});

describe('histograms and alignment', () => {
  /** Cubes on both sides of zero: more bins than are kept. */
  const cubes = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => (from + i) ** 3 / 1_000);
  const histogramOf = (values: readonly number[]) => {
    const histogram = new Histogram('log');
    for (const value of values) histogram.add(value);
    return histogram;
  };

  it.each([
    [-30, 30],
    [-4_000, 4_000],
    [-4_000, 10],
  ])('puts every value between the edges of its bin: cubes from %d to %d', (from, to) => {
    const values = cubes(from, to);
    const histogram = histogramOf(values);
    const bins = histogram.sorted();
    expect(bins.length).toBeLessThanOrEqual(256);
    for (const [index, count] of bins) {
      const [low, high] = histogram.edges(index);
      const inside = values.filter((value) => value >= low && value < high);
      // A value on an edge may be reckoned to either side.
      expect(Math.abs(inside.length - count)).toBeLessThanOrEqual(1);
    }
  });

  it('merges histograms of different coarseness to what one pass gives', () => {
    const [fine, coarse] = [cubes(-30, 30), cubes(-4_000, 4_000)];
    const merged = histogramOf(fine).merge(histogramOf(coarse));
    expect(merged.toJSON()).toEqual(histogramOf([...coarse, ...fine]).toJSON());
    expect(merged.coarseness).toBeGreaterThan(0);
  });

  it('compares categories by value, many of them by bucket, and numbers in tenths of the reference', () => {
    const text = (values: string[]) => profileOf('string', values);
    expect(alignCategories(text(['a', 'b', 'b']), text(['b', 'c']))).toEqual({
      current: [1, 2, 0],
      reference: [0, 1, 1],
      of: 'values',
    });
    const many = Array.from({ length: 100 }, (_, i) => `v${i}`);
    const aligned = alignCategories(text(many), text(['a']));
    expect([aligned.of, aligned.current.reduce((a, b) => a + b, 0)]).toEqual(['hash buckets', 100]);
    const numbers = (from: number) =>
      profileOf(
        'integer',
        Array.from({ length: 1_000 }, (_, i) => from + i),
      );
    const shifted = alignCategories(numbers(5_000), numbers(1_000));
    expect([shifted.of, shifted.reference.at(-1), shifted.current.at(-1)]).toEqual(['bins', 0, 1_000]);
    const lower = alignCategories(numbers(10), numbers(2_000));
    expect([lower.reference[0], lower.current[0]]).toEqual([0, 1_000]);
    expect(lower.reference.length).toBeLessThanOrEqual(12);
    const few = (values: number[]) => profileOf('integer', values);
    expect(alignNumbers(few([10, 9]), few([9, 100]))).toMatchObject({ current: [1, 1, 0], reference: [1, 0, 1] });
  });
});

describe('what expressions add up', () => {
  it('sums decimals exactly', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(decimal, shortDecimal, fc.maxSafeInteger())), (cells) => {
        const sum = new ExactSum();
        for (const cell of cells) sum.add(cell);
        const expected = cells.reduce(
          (total: Rational, cell) => total.plus(Rational.parse(String(cell))),
          Rational.ZERO,
        );
        expect(sum.value.write()).toBe(expected.write());
      }),
      { numRuns },
    );
  });

  it('counts distinct values exactly, and estimates within a tenth', () => {
    const distinct = new DistinctCount();
    const sketch = HyperLogLog.empty();
    for (let i = 0; i < 40_000; i++) {
      const text = `valor ${i % 20_000}`;
      distinct.add(text);
      sketch.add(hashText(text));
    }
    expect([distinct.value, distinct.exact]).toEqual([20_000, true]);
    expect(Math.abs(sketch.estimate() - 20_000)).toBeLessThan(2_000);
    const folded = HyperLogLog.fromJSON(sketch.fold(8).toJSON());
    expect(Math.abs(folded.estimate() - 20_000)).toBeLessThan(6_000);
    const numbers = HyperLogLog.empty();
    for (let i = 0; i < 20_000; i++) numbers.add(hashNumber(i / 4));
    expect(Math.abs(numbers.estimate() - 20_000)).toBeLessThan(2_000);
  });

  it('reads timestamps as Date does', () => {
    fc.assert(
      fc.property(moment, (text) => expect(isoMs(text)).toBe(Date.parse(text))),
      { numRuns },
    );
  });
});
