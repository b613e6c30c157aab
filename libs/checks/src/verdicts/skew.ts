// schema_skew, value_skew and row_count_change: does the file still look as it is declared, and as the one before?
import type { CheckOf, ColumnType } from '#contracts';
import type { ColumnProfile } from '../column-profile.js';
import type { RejectedJson } from '../rejected.js';
import type { Tally } from '../slice.js';
import { fail, pass, type Part } from './outcome.js';

/** Columns of the file that are not declared. */
export function unexpectedPart(unexpected: readonly string[]): Part {
  const expected = 'the declared columns';
  if (unexpected.length === 0) return pass('columns', expected, expected);
  const named = unexpected.slice(0, 20).map((name) => JSON.stringify(name.slice(0, 60)));
  return fail(
    'columns',
    named.join(', '),
    expected,
    `unexpected column${named.length > 1 ? 's' : ''} ${named.join(', ')}`,
  );
}

export function presencePart(name: string, profile: ColumnProfile, minFraction: number): Part {
  const rows = profile.count + profile.nulls;
  const observed = rows === 0 ? 1 : profile.count / rows;
  const expected = `a value in at least ${minFraction} of the rows`;
  if (observed >= minFraction) return pass(name, observed, expected);
  return fail(
    name,
    observed,
    expected,
    `${name} has a value in ${observed.toFixed(4)} of the rows, below ${minFraction}`,
  );
}

/** `before`: the column in the reference; undefined when it was not there. */
export function typePart(name: string, now: ColumnProfile, before: ColumnProfile | undefined): Part {
  if (!before) return pass(name, seenType(now), 'a new column');
  const [is, was] = [seenType(now), seenType(before)];
  if (is === null || was === null || is === was) return pass(name, is, was);
  return fail(name, is, was, `${name} was ${was} and is ${is} now`);
}

/** What the values are; null where there are none. */
function seenType(profile: ColumnProfile): ColumnType | null {
  return profile.count === 0 ? null : profile.seen;
}

/** Reasons for which a value is no good value of its column; the other codes speak of the record. */
const BAD_VALUES = ['domain', 'range', 'type', 'encoding', 'nul', 'pattern', 'length'] as const;

/** `tally`: accepted values that are good by the check's own domain and range, and those that are not. */
export function valueSkewPart(check: CheckOf<'value_skew'>, tally: Tally, rejected: RejectedJson): Part {
  const codes = Object.hasOwn(rejected, check.column) ? rejected[check.column]! : {};
  const counts = BAD_VALUES.flatMap((code) => (codes[code] ? [[code, codes[code]] as const] : []));
  const bad = tally.no + counts.reduce((sum, [, count]) => sum + count, 0);
  const all = tally.yes + bad;
  const observed = all === 0 ? 1 : tally.yes / all;
  const expected = `at least ${check.min_domain_mass} of the values good`;
  if (observed >= check.min_domain_mass) return pass(check.column, observed, expected);
  const why = [
    ...(tally.no > 0 ? [`outside the check's domain or range ${tally.no}`] : []),
    ...counts.map(([code, count]) => `${code} ${count}`),
  ];
  const reason = `${bad} of ${all} values of ${check.column} are not good (${why.join(', ')}): more than ${(1 - check.min_domain_mass).toFixed(6).replace(/\.?0+$/, '')} of them`;
  return fail(check.column, observed, expected, reason);
}

export function rowCountPart(rows: number, reference: number, check: CheckOf<'row_count_change'>): Part {
  const { min_fraction: min, max_fraction: max } = check;
  const bounds = [...(min === undefined ? [] : [`at least ${min}`]), ...(max === undefined ? [] : [`at most ${max}`])];
  const expected = `${bounds.join(' and ')} of the ${reference} rows of the reference`;
  const tooFew = min !== undefined && rows < min * reference;
  const tooMany = max !== undefined && rows > max * reference;
  if (!tooFew && !tooMany) return pass('rows', rows, expected);
  return fail('rows', rows, expected, `${rows} rows are ${tooFew ? 'too few' : 'too many'}: expected ${expected}`);
}
