// No accumulator's changelog text is larger than what pipeline files are checked by: the worst cells for each.
import { ACCUMULATOR_BYTES, AGGREGATE_NAMES, type Cell } from '#contracts';
import { accumulate } from '../testing.js';
import { aggregateFor } from './aggregate-for.js';

const nines = '9'.repeat(38);
const small = `0.${'0'.repeat(37)}1`;
const texts = Array.from({ length: 1_200 }, (_, i) => `${i}`.padEnd(6_000, i % 2 === 0 ? '\u0001' : '😀'));
const numbers: Cell[] = [nines, small, `-${nines}`, `-${small}`, nines];

describe.each(AGGREGATE_NAMES)('%s', (name) => {
  it('fits its bytes', () => {
    const isText = ['first', 'last', 'approx_count_distinct', 'top_k', 'count'].includes(name);
    const aggregate = aggregateFor(
      { name: 'f', aggregate: name, column: 'c', q: 0.5, k: 100 },
      isText ? 'string' : 'decimal',
    );
    const accumulator = accumulate(aggregate, isText ? texts : numbers);
    // As many rows as there can be: each digit that a count or a sum of so many takes.
    for (let doubled = 0; doubled < 48 && !isText; doubled++)
      aggregate.merge(accumulator, aggregate.clone(accumulator));
    const bytes = Buffer.byteLength(JSON.stringify(aggregate.encode(accumulator))) + 1;
    expect(bytes).toBeLessThanOrEqual(ACCUMULATOR_BYTES[name]);
  });
});
