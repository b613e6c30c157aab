// check, value_check, threshold_check: every expression's value by itself. `airflow` reckons in doubles as Python does,
// `strict` exactly.
import type { CheckOf } from '#contracts';
import { Rational } from '../rational.js';
import { compareValues, type Value } from '../value.js';
import { fail, pass, shown, type Part } from './outcome.js';

const NULL_REASON = 'is NULL: there are no values to compute it from';

/** Truthy as Python has it; `strict` also refuses what is not a number. */
export function truthPart(label: string, value: Value, semantics: 'strict' | 'airflow'): Part {
  const expected = 'true, or not 0';
  if (value === null) return fail(label, null, expected, `${label} ${NULL_REASON}`);
  const nan = value instanceof Rational && value.isNaN;
  if (nan && semantics === 'strict') return fail(label, 'NaN', expected, `${label} is not a number`);
  const falsy = value === false || value === '' || (value instanceof Rational && value.isZero);
  return falsy
    ? fail(label, shown(value), expected, `${label} is ${shown(value) === '' ? 'empty' : shown(value)}`)
    : pass(label, shown(value), expected);
}

type ValueCheck = Pick<CheckOf<'value_check'>, 'pass_value' | 'tolerance' | 'semantics'>;

export function valuePart(label: string, value: Value, check: ValueCheck): Part {
  const number = numberOf(check.pass_value);
  if (value === null) return fail(label, null, check.pass_value, `${label} ${NULL_REASON}`);
  if (number === null) return textPart(label, value, String(check.pass_value), check.semantics);
  const tolerance = check.tolerance === undefined ? null : numberOf(check.tolerance);
  const expected =
    tolerance === null ? check.pass_value : `${check.pass_value} +- ${Number((tolerance * 100).toPrecision(6))} %`;
  const matches =
    check.semantics === 'airflow'
      ? matchesAsAirflow(toDouble(value), number, tolerance)
      : matchesStrictly(value, Rational.ofNumber(number), tolerance);
  if (matches) return pass(label, shown(value), expected);
  return fail(label, shown(value), expected, `${label} is ${shown(value)}, not ${expected}`);
}

/** `pv * (1 - tol) <= x <= pv * (1 + tol)`: a negative pass value turns the band around, and nothing lies in it. */
function matchesAsAirflow(x: number, passValue: number, tolerance: number | null): boolean {
  if (tolerance === null) return x === passValue;
  return passValue * (1 - tolerance) <= x && x <= passValue * (1 + tolerance);
}

/** |x - pv| <= |pv| * tol. */
function matchesStrictly(value: Value, passValue: Rational, tolerance: number | null): boolean {
  const x = exact(value);
  if (x === null) return false;
  const band = passValue.abs().times(Rational.ofNumber(tolerance ?? 0));
  return x.minus(passValue).abs().compare(band) <= 0;
}

function textPart(label: string, value: Value, passValue: string, semantics: 'strict' | 'airflow'): Part {
  const python = semantics === 'airflow' && typeof value === 'boolean' ? (value ? 'True' : 'False') : null;
  const text = python ?? String(shown(value));
  return text === passValue
    ? pass(label, text, passValue)
    : fail(label, text, passValue, `${label} is "${text}", not "${passValue}"`);
}

export function thresholdPart(
  label: string,
  value: Value,
  min: Value,
  max: Value,
  semantics: 'strict' | 'airflow',
): Part {
  const expected = `${shown(min)} to ${shown(max)}`;
  if (value === null) return fail(label, null, expected, `${label} ${NULL_REASON}`);
  if (min === null || max === null) return fail(label, shown(value), expected, 'a threshold is NULL');
  const within =
    semantics === 'airflow' && [value, min, max].every((one) => one instanceof Rational)
      ? toDouble(min) <= toDouble(value) && toDouble(value) <= toDouble(max)
      : compareValues('>=', value, min) === true && compareValues('<=', value, max) === true;
  return within
    ? pass(label, shown(value), expected)
    : fail(label, shown(value), expected, `${label} is ${shown(value)}, outside of ${expected}`);
}

/** The number that a parameter of the pipeline file is; null when it is none. */
function numberOf(parameter: number | string): number | null {
  if (typeof parameter === 'number') return parameter;
  const number = parameter.trim() === '' ? Number.NaN : Number(parameter);
  return Number.isFinite(number) ? number : null;
}

/** As Python's float(): true is 1, a text is what it reads as. */
export function toDouble(value: NonNullable<Value>): number {
  if (value instanceof Rational) return value.toNumber();
  return typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
}

function exact(value: Value): Rational | null {
  if (value instanceof Rational) return value;
  return typeof value === 'boolean' ? Rational.of(value ? 1n : 0n) : null;
}
