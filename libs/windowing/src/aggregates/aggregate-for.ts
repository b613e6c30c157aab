// Which aggregate a feature asks for.
import { NUMERIC_AGGREGATES, type AggregateName, type ColumnType, type FeatureSpec } from '#contracts';
import type { Aggregate } from './aggregate.js';
import { approxCountDistinct } from './approx-count-distinct.js';
import { approxQuantile } from './approx-quantile.js';
import { avg } from './avg.js';
import { count } from './count.js';
import { first, last } from './first-last.js';
import { max } from './max.js';
import { min } from './min.js';
import { stddev } from './stddev.js';
import { sum } from './sum.js';
import { topK } from './top-k.js';
import { variance } from './variance.js';

const AGGREGATES: Readonly<Record<AggregateName, (feature: FeatureSpec) => Aggregate<unknown>>> = {
  count: () => count,
  sum: () => sum,
  avg: () => avg,
  min: () => min,
  max: () => max,
  first: () => first,
  last: () => last,
  variance: () => variance,
  stddev: () => stddev,
  approx_count_distinct: () => approxCountDistinct,
  approx_quantile: ({ q }) => approxQuantile(q!),
  top_k: ({ k }) => topK(k!),
};

/**
 * The aggregate of a feature; `columnType` is its column's, null for `*`. Numeric aggregates of columns that are no
 * numbers are refused when the pipeline file is read: here they are a broken invariant.
 */
export function aggregateFor(feature: FeatureSpec, columnType: ColumnType | null): Aggregate<unknown> {
  const { name, aggregate } = feature;
  const isNumber = columnType === 'integer' || columnType === 'decimal';
  if (aggregate !== 'count' && (columnType === null || (NUMERIC_AGGREGATES.has(aggregate) && !isNumber))) {
    throw new TypeError(`feature "${name}": ${aggregate} of a ${columnType ?? 'missing'} column`);
  }
  return AGGREGATES[aggregate](feature);
}
