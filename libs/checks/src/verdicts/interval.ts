// interval_check: a metric of this file against the same metric of the reference.
import type { CheckOf } from '#contracts';
import { Rational } from '../rational.js';
import { fail, pass, type Part } from './outcome.js';

type IntervalCheck = Pick<CheckOf<'interval_check'>, 'ratio_formula' | 'ignore_zero' | 'on_zero' | 'semantics'>;

/** `current`, `reference`: null for NULL. `threshold`: the ratio must stay below it. */
export function intervalPart(
  label: string,
  current: Rational | null,
  reference: Rational | null,
  threshold: number,
  check: IntervalCheck,
): Part {
  const formula = check.ratio_formula === 'parent_diff' ? 'relative_diff' : check.ratio_formula;
  const expected = `${formula} below ${threshold}`;
  const observed = `${current?.format() ?? 'NULL'}, reference ${reference?.format() ?? 'NULL'}`;
  if (current === null)
    return fail(label, observed, expected, `${label} is NULL: there are no values to compute it from`);
  if (reference === null) return fail(label, observed, expected, `${label} is NULL in the reference`);
  if (current.isZero || reference.isZero) {
    const equal = current.isZero && reference.isZero;
    return zeroPasses(check, equal)
      ? pass(label, observed, expected)
      : fail(
          label,
          observed,
          expected,
          `${label} is 0 in ${current.isZero ? 'this file' : 'the reference'} (on_zero: fail)`,
        );
  }
  if (check.semantics === 'strict' && current.sign !== reference.sign) {
    return fail(label, observed, expected, `${label} has changed its sign`);
  }
  const ratio =
    check.semantics === 'airflow' ? doubleRatio(formula, current, reference) : exactRatio(formula, current, reference);
  const told = `${observed}, ratio ${ratio.format()}`;
  const below =
    check.semantics === 'airflow' ? ratio.toNumber() < threshold : ratio.compare(Rational.ofNumber(threshold)) < 0;
  if (below) return pass(label, told, expected);
  return fail(label, told, expected, `${formula} of ${label} is ${ratio.format()}, not below ${threshold}`);
}

/** Strict without a word about it: 0 on both sides is no change, 0 on one side is. */
function zeroPasses(check: IntervalCheck, equal: boolean): boolean {
  if (check.semantics === 'airflow') return check.ignore_zero ?? true;
  if (check.on_zero !== undefined) return check.on_zero === 'pass';
  return check.ignore_zero ?? equal;
}

/** As Airflow has it: negative values give negative ratios, which are below every threshold. */
function doubleRatio(formula: 'max_over_min' | 'relative_diff', current: Rational, reference: Rational): Rational {
  const [a, b] = [current.toNumber(), reference.toNumber()];
  return Rational.ofNumber(formula === 'max_over_min' ? Math.max(a, b) / Math.min(a, b) : Math.abs(a - b) / b);
}

function exactRatio(formula: 'max_over_min' | 'relative_diff', current: Rational, reference: Rational): Rational {
  const [a, b] = [current.abs(), reference.abs()];
  if (formula === 'relative_diff') return current.minus(reference).abs().over(b);
  return a.compare(b) >= 0 ? a.over(b) : b.over(a);
}
