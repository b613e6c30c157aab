// Values of a unique column: exact, through many growths of the table, and bounded.
import { CsvError } from './csv-error.js';
import { UniqueValues } from './unique-values.js';

describe('UniqueValues', () => {
  it('knows all values that were added and no other', () => {
    const seen = new UniqueValues('id');
    for (let n = 0; n < 50_000; n++) seen.add(`v${n}`);
    for (let n = 0; n < 50_000; n++) if (!seen.has(`v${n}`)) throw new Error(`v${n} was forgotten`);
    for (let n = 50_000; n < 100_000; n++) if (seen.has(`v${n}`)) throw new Error(`v${n} was never there`);
    expect(['', 'v1 ', 'V1'].map((value) => seen.has(value))).toEqual([false, false, false]);
  });

  it('takes a value twice for one, and says when there are too many', () => {
    const seen = new UniqueValues('id', 2);
    seen.add('a');
    seen.add('b');
    expect(() => seen.add('c')).toThrow(CsvError);
    expect(() => seen.add('c')).toThrow('column "id" is unique and has more than 2 values');
    expect(seen.has('c')).toBe(false);
  });
});
