// drift: how far a column's distribution is from the reference's.
import type { CheckOf } from '#contracts';
import { alignCategories, alignNumbers } from '../align.js';
import type { ColumnProfile } from '../column-profile.js';
import { jensenShannon, kolmogorovProbability, kolmogorovSmirnov, lInfinity, psi } from '../drift.js';
import { fail, pass, type Part } from './outcome.js';

const NAMES = {
  l_infinity: 'L-infinity distance',
  jensen_shannon: 'Jensen-Shannon divergence',
  psi: 'population stability index',
  kolmogorov_smirnov: 'Kolmogorov-Smirnov distance',
} as const;
const MEASURES = { l_infinity: lInfinity, jensen_shannon: jensenShannon, psi } as const;

export function driftPart(check: CheckOf<'drift'>, current: ColumnProfile, reference: ColumnProfile): Part {
  const bound = check.threshold ?? check.p_value!;
  const expected = check.p_value === undefined ? `at most ${bound}` : `a probability above ${bound}`;
  for (const [profile, which] of [
    [current, 'this file'],
    [reference, 'the reference'],
  ] as const) {
    if (profile.count === 0) return fail(check.column, null, expected, `${check.column} has no values in ${which}`);
  }
  const { measure } = check;
  if (measure !== 'kolmogorov_smirnov') {
    const aligned = alignCategories(current, reference);
    return bounded(check, MEASURES[measure](aligned.current, aligned.reference), expected, aligned.of);
  }
  const aligned = alignNumbers(current, reference);
  const d = kolmogorovSmirnov(aligned.current, aligned.reference);
  if (check.p_value === undefined) return bounded(check, d, expected, aligned.of);
  const probability = kolmogorovProbability(d, current.count, reference.count);
  const observed = rounded(probability);
  if (probability > check.p_value) return pass(check.column, observed, expected);
  return fail(
    check.column,
    observed,
    expected,
    `${NAMES[measure]} of ${check.column} is ${rounded(d)}: by chance so far apart with a probability of ${observed}`,
  );
}

function bounded(check: CheckOf<'drift'>, distance: number, expected: string, of: string): Part {
  const observed = rounded(distance);
  if (distance <= check.threshold!) return pass(check.column, observed, expected);
  const reason = `${NAMES[check.measure]} of ${check.column} is ${observed} over its ${of}, above ${check.threshold}`;
  return fail(check.column, observed, expected, reason);
}

function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
