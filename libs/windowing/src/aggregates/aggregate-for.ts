// Which aggregate a feature asks for.
import type { AggregateName, ColumnType, FeatureSpec } from '#contracts';
import type { Aggregate } from './aggregate.js';
import { avg } from './avg.js';
import { count } from './count.js';
import { max } from './max.js';
import { min } from './min.js';
import { sum } from './sum.js';

const AGGREGATES: Readonly<Partial<Record<AggregateName, Aggregate<unknown>>>> = { count, sum, avg, min, max };

/**
 * The aggregate of a feature; `columnType` is its column's, null for `*`. Sums, averages and extremes of columns
 * that are not numbers are refused when the pipeline file is read: here they are a broken invariant.
 */
export function aggregateFor(feature: FeatureSpec, columnType: ColumnType | null): Aggregate<unknown> {
  if (feature.aggregate !== 'count' && columnType !== 'integer' && columnType !== 'decimal') {
    throw new TypeError(`feature "${feature.name}": ${feature.aggregate} of a ${columnType ?? 'missing'} column`);
  }
  return AGGREGATES[feature.aggregate]!;
}
