// A view's result as a table: what checks of `stage: features` see as their columns.
import type { AggregateName, ColumnType, View } from './pipeline.js';

const COUNTS: ReadonlySet<AggregateName> = new Set(['count', 'approx_count_distinct']);

/** The columns of a view's result as checks see them: its groups, then its features. `typeOf`: a source column's type. */
export function viewColumns(
  view: Pick<View, 'groupBy' | 'features'>,
  typeOf: (column: string) => ColumnType,
): { name: string; type: ColumnType }[] {
  const features = view.features.map(({ name, aggregate, column }): { name: string; type: ColumnType } => {
    if (COUNTS.has(aggregate)) return { name, type: 'integer' };
    if (aggregate === 'top_k') return { name, type: 'string' };
    return { name, type: aggregate === 'first' || aggregate === 'last' ? typeOf(column) : 'decimal' };
  });
  return [...view.groupBy.map((name) => ({ name, type: 'string' as const })), ...features];
}
