// What an aggregate is, and which one a feature asks for. Accumulators are mutable, merge in any order, and
// encode to the same JSON whatever order their cells came in.
import type { AggregateName, Cell, ColumnType, FeatureSpec, FeatureValue } from '#contracts';
import { avg } from './avg.js';
import { count } from './count.js';
import { max } from './max.js';
import { min } from './min.js';
import { sum } from './sum.js';

export type JsonValue = string | number | boolean | null | readonly JsonValue[];

export interface Aggregate<A> {
  empty(): A;
  clone(accumulator: A): A;
  /** Null and empty cells are skipped. For `*` the caller passes a cell that is never null. */
  add(accumulator: A, cell: Cell): void;
  /** `into` becomes what it had been, had it seen the cells of `other` too; `other` stays as it is. */
  merge(into: A, other: A): void;
  result(accumulator: A): FeatureValue;
  encode(accumulator: A): JsonValue;
  /** The inverse of `encode`. Throws WindowingError `bad_changelog`. */
  decode(value: unknown): A;
}

const AGGREGATES: Readonly<Record<AggregateName, Aggregate<unknown>>> = { count, sum, avg, min, max };

/**
 * The aggregate of a feature; `columnType` is its column's, null for `*`. Sums, averages and extremes of columns
 * that are not numbers are refused when the pipeline file is read: here they are a broken invariant.
 */
export function aggregateFor(feature: FeatureSpec, columnType: ColumnType | null): Aggregate<unknown> {
  if (feature.aggregate !== 'count' && columnType !== 'integer' && columnType !== 'decimal') {
    throw new TypeError(`feature "${feature.name}": ${feature.aggregate} of a ${columnType ?? 'missing'} column`);
  }
  return AGGREGATES[feature.aggregate];
}
