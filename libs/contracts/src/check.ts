// A declared check as the services use it: its document as it stands in the pipeline file, with defaults filled in.
import type { CheckDocument } from './check-schema.js';

export type CheckSpec = CheckDocument;
export type CheckOf<T extends CheckSpec['type']> = Extract<CheckSpec, { type: T }>;

/** The expressions of a check that tests values. */
export function testedExpressions(check: CheckOf<'check' | 'value_check' | 'threshold_check'>): readonly string[] {
  return check.expressions ?? (check.expression === undefined ? [] : [check.expression]);
}

/** What a check's rows are filtered by, as one expression's text; null: nothing. */
export function filterOf(check: CheckSpec): string | null {
  const ofDate =
    check.type === 'interval_check' && check.date_filter_column !== undefined
      ? `"${check.date_filter_column.replaceAll('"', '""')}" = run_date`
      : null;
  if (check.where === undefined || ofDate === null) return check.where ?? ofDate;
  return `(${check.where}) and (${ofDate})`;
}
