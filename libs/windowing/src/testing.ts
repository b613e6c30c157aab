// For specs of aggregates: cells as if each came in the next row of one upload.
import type { Cell } from '#contracts';
import type { Aggregate, RowPlace } from './aggregates/aggregate.js';

export const place = (row = 1): RowPlace => ({ upload: 'u1', row, time: 0 });

export function accumulate<A>(aggregate: Aggregate<A>, cells: readonly Cell[]): A {
  const accumulator = aggregate.empty();
  cells.forEach((cell, i) => aggregate.add(accumulator, cell, place(i + 1)));
  return accumulator;
}
