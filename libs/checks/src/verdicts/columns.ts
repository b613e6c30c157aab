// column_check and table_check: bounds on what a column comes to, statements that hold on every row.
import type { CheckOf } from '#contracts';
import { Rational } from '../rational.js';
import type { Tally } from '../slice.js';
import type { Value } from '../value.js';
import { fail, pass, shown, type Part } from './outcome.js';
import { toDouble } from './values.js';

export type Bounds = NonNullable<CheckOf<'column_check'>['column_mapping'][string]['min']>;

const SIGNS = { equal_to: '=', geq_to: '>=', greater_than: '>', leq_to: '<=', less_than: '<' } as const;
type Comparator = keyof typeof SIGNS;
const COMPARATORS = Object.keys(SIGNS) as Comparator[];

/** `estimate`: said where the value is none that was counted exactly. */
export function boundsPart(
  label: string,
  value: Value,
  bounds: Bounds,
  semantics: 'strict' | 'airflow',
  estimate = false,
): Part {
  const tolerance = bounds.tolerance === undefined ? '' : ` (tolerance ${bounds.tolerance})`;
  const set = COMPARATORS.filter((name) => bounds[name] !== undefined);
  const expected = set.map((name) => `${SIGNS[name]} ${bounds[name]}`).join(', ') + tolerance;
  if (value === null) return fail(label, null, expected, `${label} is NULL: there are no values to compute it from`);
  const holds = semantics === 'airflow' ? asAirflow(toDouble(value), bounds) : strictly(value as Rational, bounds);
  const observed = shown(value);
  if (holds) return pass(label, observed, expected);
  const about = estimate ? ' (an estimate: more than a million different values)' : '';
  return fail(label, observed, expected, `${label} is ${observed}${about}, expected ${expected}`);
}

function asAirflow(x: number, bounds: Bounds): boolean {
  const { equal_to: equal, geq_to: geq, greater_than: greater, leq_to: leq, less_than: less, tolerance } = bounds;
  const down = (bound: number) => (tolerance === undefined ? bound : bound * (1 - tolerance));
  const up = (bound: number) => (tolerance === undefined ? bound : bound * (1 + tolerance));
  return (
    (geq === undefined || x >= down(geq)) &&
    (greater === undefined || x > down(greater)) &&
    (leq === undefined || x <= up(leq)) &&
    (less === undefined || x < up(less)) &&
    (equal === undefined || (down(equal) <= x && x <= up(equal)))
  );
}

/** The tolerance widens every bound by a share of its absolute value. */
function strictly(x: Rational, bounds: Bounds): boolean {
  const share = Rational.ofNumber(bounds.tolerance ?? 0);
  return COMPARATORS.every((name) => {
    const bound = bounds[name];
    if (bound === undefined) return true;
    const exact = Rational.ofNumber(bound);
    const band = exact.abs().times(share);
    const [low, high] = [x.compare(exact.minus(band)), x.compare(exact.plus(band))];
    return {
      equal_to: low >= 0 && high <= 0,
      geq_to: low >= 0,
      greater_than: low > 0,
      leq_to: high <= 0,
      less_than: high < 0,
    }[name];
  });
}

/** A statement over rows: NULL counts as failing, and of no rows it does not hold. */
export function statementPart(label: string, tally: Tally): Part {
  const expected = 'true on every row';
  if (tally.failure !== null) return fail(label, null, expected, `${label}: ${tally.failure}`);
  const rows = tally.yes + tally.no + tally.unknown;
  if (rows === 0) return fail(label, null, expected, `there are no rows to test ${label} on`);
  const observed = `true on ${tally.yes} of ${rows} rows`;
  if (tally.yes === rows) return pass(label, observed, expected);
  const reasons = [
    ...(tally.no > 0 ? [`false on ${tally.no}`] : []),
    ...(tally.unknown > 0 ? [`NULL on ${tally.unknown}`] : []),
  ];
  return fail(label, observed, expected, `${label} is ${reasons.join(' and ')} of ${rows} rows`);
}

/** A statement over aggregates. */
export function aggregateStatementPart(label: string, value: Value): Part {
  if (value === true) return pass(label, 'true', 'true');
  return fail(label, value === null ? null : 'false', 'true', `${label} is ${value === null ? 'NULL' : 'false'}`);
}
