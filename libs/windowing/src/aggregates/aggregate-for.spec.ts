// The laws that every aggregate keeps: they are what lets steps, crashes and partials cut the rows anywhere.
import fc from 'fast-check';
import { AGGREGATE_NAMES, type Cell } from '#contracts';
import { aggregateFor } from './aggregate-for.js';

const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant(null),
  fc.integer({ min: -100, max: 100 }),
  fc.maxSafeInteger(),
  fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: 0, max: 9999 })).map(([a, b]) => `${a}.${b}`),
  fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }).map(String),
);
const cells = fc.array(cell, { maxLength: 12 });

describe.each(AGGREGATE_NAMES)('%s', (name) => {
  const aggregate = aggregateFor({ name: 'f', aggregate: name, column: 'c' }, 'decimal');
  const of = (values: readonly Cell[]) => {
    const accumulator = aggregate.empty();
    for (const value of values) aggregate.add(accumulator, value);
    return accumulator;
  };
  const merged = (a: unknown, b: unknown) => {
    const into = aggregate.clone(a);
    aggregate.merge(into, b);
    return into;
  };
  /** All that the outside sees of an accumulator. */
  const seen = (accumulator: unknown) => [aggregate.encode(accumulator), aggregate.result(accumulator)];

  it('merges associatively and commutatively; empty is neutral', () => {
    fc.assert(
      fc.property(cells, cells, cells, (a, b, c) => {
        expect(seen(merged(merged(of(a), of(b)), of(c)))).toEqual(seen(merged(of(a), merged(of(b), of(c)))));
        expect(seen(merged(of(a), of(b)))).toEqual(seen(merged(of(b), of(a))));
        expect(seen(merged(of(a), aggregate.empty()))).toEqual(seen(of(a)));
        expect(seen(merged(aggregate.empty(), of(a)))).toEqual(seen(of(a)));
      }),
    );
  });

  it('adds as it merges single cells, in any order, and merging leaves the other alone', () => {
    fc.assert(
      fc.property(cells, cells, (a, b) => {
        const other = of(b);
        const into = of(a);
        aggregate.merge(into, other);
        expect(seen(other)).toEqual(seen(of(b)));
        expect(seen(into)).toEqual(seen(of([...b, ...a].reverse())));
        expect(seen(a.map((value) => of([value])).reduce(merged, aggregate.empty()))).toEqual(seen(of(a)));
        for (const value of a) aggregate.add(into, value);
        expect(seen(other)).toEqual(seen(of(b)));
      }),
    );
  });

  it('decodes what it encoded, through JSON, and goes on from there', () => {
    fc.assert(
      fc.property(cells, cells, (a, b) => {
        const decoded = aggregate.decode(JSON.parse(JSON.stringify(aggregate.encode(of(a)))));
        expect(seen(decoded)).toEqual(seen(of(a)));
        for (const value of b) aggregate.add(decoded, value);
        expect(seen(decoded)).toEqual(seen(of([...a, ...b])));
      }),
    );
  });

  it('clones: neither sees what happens to the other', () => {
    fc.assert(
      fc.property(cells, cells, (a, b) => {
        const original = of(a);
        const clone = aggregate.clone(original);
        for (const value of b) aggregate.add(clone, value);
        expect(seen(original)).toEqual(seen(of(a)));
        expect(seen(clone)).toEqual(seen(of([...a, ...b])));
      }),
    );
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
  });
});
