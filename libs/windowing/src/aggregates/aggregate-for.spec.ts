// The laws that every aggregate keeps: they are what lets steps, crashes and partials cut the rows anywhere.
import fc from 'fast-check';
import { AGGREGATE_NAMES, type Cell } from '#contracts';
import { aggregateFor } from './aggregate-for.js';
import type { RowPlace } from './aggregate.js';

const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant(null),
  fc.integer({ min: -100, max: 100 }),
  fc.maxSafeInteger(),
  fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: 0, max: 9999 })).map(([a, b]) => `${a}.${b}`),
  fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }).map(String),
);
type PlacedCell = RowPlace & { cell: Cell };
/** Cells of rows that no other list has; times and uploads repeat, so that each part of the order decides. */
const placedCells = (firstRow: number): fc.Arbitrary<PlacedCell[]> =>
  fc
    .array(fc.record({ cell, time: fc.integer({ min: -1, max: 1 }), upload: fc.constantFrom('u1', 'u2') }), {
      maxLength: 12,
    })
    .map((list) => list.map((one, i) => ({ ...one, row: firstRow + i })));
const [first, second, third] = [placedCells(1), placedCells(100), placedCells(200)] as const;

describe.each(AGGREGATE_NAMES)('%s', (name) => {
  const aggregate = aggregateFor({ name: 'f', aggregate: name, column: 'c', q: 0.5, k: 3 }, 'decimal');
  const addAll = (accumulator: unknown, cells: readonly PlacedCell[]) => {
    for (const one of cells) aggregate.add(accumulator, one.cell, one);
    return accumulator;
  };
  const of = (cells: readonly PlacedCell[]) => addAll(aggregate.empty(), cells);
  const merged = (a: unknown, b: unknown) => {
    const into = aggregate.clone(a);
    aggregate.merge(into, b);
    return into;
  };
  /** All that the outside sees of an accumulator. */
  const seen = (accumulator: unknown) => [aggregate.encode(accumulator), aggregate.result(accumulator)];

  it('merges associatively and commutatively; empty is neutral', () => {
    fc.assert(
      fc.property(first, second, third, (a, b, c) => {
        expect(seen(merged(merged(of(a), of(b)), of(c)))).toEqual(seen(merged(of(a), merged(of(b), of(c)))));
        expect(seen(merged(of(a), of(b)))).toEqual(seen(merged(of(b), of(a))));
        expect(seen(merged(of(a), aggregate.empty()))).toEqual(seen(of(a)));
        expect(seen(merged(aggregate.empty(), of(a)))).toEqual(seen(of(a)));
      }),
    );
  });

  it('adds as it merges single cells, in any order, and merging leaves the other alone', () => {
    fc.assert(
      fc.property(first, second, (a, b) => {
        const other = of(b);
        const into = of(a);
        aggregate.merge(into, other);
        expect(seen(other)).toEqual(seen(of(b)));
        expect(seen(into)).toEqual(seen(of([...b, ...a].reverse())));
        expect(seen(a.map((one) => of([one])).reduce(merged, aggregate.empty()))).toEqual(seen(of(a)));
        addAll(into, a);
        expect(seen(other)).toEqual(seen(of(b)));
      }),
    );
  });

  it('decodes what it encoded, through JSON, and goes on from there', () => {
    fc.assert(
      fc.property(first, second, (a, b) => {
        const decoded = aggregate.decode(JSON.parse(JSON.stringify(aggregate.encode(of(a)))));
        expect(seen(decoded)).toEqual(seen(of(a)));
        expect(seen(addAll(decoded, b))).toEqual(seen(of([...a, ...b])));
      }),
    );
  });

  it('clones: neither sees what happens to the other', () => {
    fc.assert(
      fc.property(first, second, (a, b) => {
        const original = of(a);
        const clone = aggregate.clone(original);
        addAll(clone, b);
        expect(seen(original)).toEqual(seen(of(a)));
        expect(seen(clone)).toEqual(seen(of([...a, ...b])));
      }),
    );
  });

  it.each([[{}], [[null]], ['?'], [true], [[1, 2, 3, 4, 5]]])('does not decode %j', (value) => {
    expect(() => aggregate.decode(value)).toThrow(expect.objectContaining({ code: 'bad_changelog' }));
  });
});

describe('aggregateFor', () => {
  it('counts any column and rows, but sums only numbers', () => {
    const feature = (aggregate: 'count' | 'sum', column: string) => ({ name: 'f', aggregate, column });
    expect(
      aggregateFor(feature('count', '*'), null).result(aggregateFor(feature('count', 'c'), 'string').empty()),
    ).toBe(0);
    expect(() => aggregateFor(feature('sum', 'c'), 'string')).toThrow('sum of a string column');
    expect(() => aggregateFor(feature('sum', 'c'), null)).toThrow('sum of a missing column');
    expect(() => aggregateFor({ name: 'f', aggregate: 'last', column: 'c' }, null)).toThrow('last of a missing column');
    expect(aggregateFor({ name: 'f', aggregate: 'last', column: 'c' }, 'boolean').empty()).toEqual({ held: null });
  });
});
