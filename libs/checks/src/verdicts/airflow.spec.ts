// Airflow's SQL checks as a table of cases with the verdicts that its operators give, and beside each what `strict` says.
import { Rational } from '../rational.js';
import type { Value } from '../value.js';
import { aggregateStatementPart, boundsPart, statementPart, type Bounds } from './columns.js';
import { intervalPart } from './interval.js';
import type { Part } from './outcome.js';
import { thresholdPart, truthPart, valuePart } from './values.js';

const n = (value: number | null): Rational | null => (value === null ? null : Rational.ofNumber(value));
const SEMANTICS = ['airflow', 'strict'] as const;
const both = (part: (semantics: 'airflow' | 'strict') => Part) => SEMANTICS.map((semantics) => part(semantics).verdict);
const P = 'pass';
const F = 'fail';

describe('check', () => {
  it.each<[what: string, value: Value, airflow: string, strict: string]>([
    ['true', true, P, P],
    ['a number', n(7), P, P],
    ['a negative number', n(-1), P, P],
    ['false', false, F, F],
    ['0', n(0), F, F],
    ['NULL, or no row', null, F, F],
    ["''", '', F, F],
    ["'0'", '0', P, P],
    ["'false'", 'false', P, P],
    ['NaN', Rational.NAN, P, F],
  ])('%s', (_what, value, airflow, strict) => {
    expect(both((semantics) => truthPart('x', value, semantics))).toEqual([airflow, strict]);
  });
});

describe('interval_check', () => {
  type Case = [
    what: string,
    formula: 'max_over_min' | 'relative_diff' | 'parent_diff',
    current: number | null,
    reference: number | null,
    threshold: number,
    airflow: string,
    strict: string,
  ];
  it.each<Case>([
    ['below the threshold', 'max_over_min', 150, 100, 1.6, P, P],
    ['the other way round', 'max_over_min', 100, 150, 1.6, P, P],
    ['above', 'max_over_min', 161, 100, 1.6, F, F],
    ['on it: the comparison is strict', 'max_over_min', 150, 100, 1.5, F, F],
    ['identical data, threshold 1', 'max_over_min', 42, 42, 1, F, F],
    ['identical data, threshold 0', 'relative_diff', 42, 42, 0, F, F],
    ['identical data, threshold above', 'relative_diff', 42, 42, 0.01, P, P],
    ['relative to the reference', 'relative_diff', 150, 100, 0.51, P, P],
    ['not to this file', 'relative_diff', 100, 150, 0.33, F, F],
    ['its other name', 'parent_diff', 151, 100, 0.51, F, F],
    ['a negative reference', 'relative_diff', 100, -100, 0.1, P, F],
    ['both negative, far apart', 'relative_diff', -500, -100, 0.1, P, F],
    ['both negative, near', 'relative_diff', -101, -100, 0.1, P, P],
    ['mixed signs', 'max_over_min', -500, 100, 1.1, P, F],
    ['both negative, far apart', 'max_over_min', -500, -100, 1.1, P, F],
    ['both negative, near', 'max_over_min', -101, -100, 1.1, P, P],
    ['NULL here', 'max_over_min', null, 100, 9, F, F],
    ['NULL there', 'max_over_min', 100, null, 9, F, F],
    ['0 here', 'max_over_min', 0, 100, 9, P, F],
    ['0 there', 'relative_diff', 100, 0, 9, P, F],
    ['0 on both sides', 'max_over_min', 0, 0, 9, P, P],
  ])('%s: %s of %s and %s below %s', (_what, formula, current, reference, threshold, airflow, strict) => {
    const part = (semantics: 'airflow' | 'strict') =>
      intervalPart('m', n(current), n(reference), threshold, { ratio_formula: formula, semantics });
    expect(both(part)).toEqual([airflow, strict]);
  });

  it.each<
    [
      ignoreZero: boolean | undefined,
      onZero: 'pass' | 'fail' | undefined,
      current: number,
      airflow: string,
      strict: string,
    ]
  >([
    [false, undefined, 0, F, F],
    [true, undefined, 0, P, P],
    [undefined, 'pass', 0, P, P],
    [undefined, 'fail', 0, P, F],
  ])('ignore_zero %s, on_zero %s', (ignoreZero, onZero, current, airflow, strict) => {
    const part = (semantics: 'airflow' | 'strict') =>
      intervalPart('m', n(current), n(5), 9, {
        ratio_formula: 'max_over_min',
        semantics,
        ignore_zero: ignoreZero,
        on_zero: onZero,
      });
    expect(both(part)).toEqual([airflow, strict]);
  });

  it('says why', () => {
    const part = intervalPart('avg(x)', n(-5), n(5), 9, { ratio_formula: 'max_over_min', semantics: 'strict' });
    expect(part.reason).toBe('avg(x) has changed its sign');
    const far = intervalPart('avg(x)', n(10), n(4), 2, { ratio_formula: 'max_over_min', semantics: 'strict' });
    expect(far).toMatchObject({ observed: '10, reference 4, ratio 2.5', expected: 'max_over_min below 2' });
  });
});

describe('value_check', () => {
  type Case = [
    what: string,
    value: Value,
    passValue: number | string,
    tolerance: number | string | undefined,
    airflow: string,
    strict: string,
  ];
  it.each<Case>([
    ['equal', n(10), 10, undefined, P, P],
    ['not equal', n(10.5), 10, undefined, F, F],
    ['lower edge, included', n(9), 10, 0.1, P, P],
    ['upper edge, included', n(11), 10, 0.1, P, P],
    ['outside', n(11.01), 10, 0.1, F, F],
    ['an edge that doubles miss', n(1.36), 1, 0.36, F, P],
    ['a negative pass value turns the band around', n(-10), -10, 0.1, F, P],
    ['a negative pass value without tolerance', n(-10), -10, undefined, P, P],
    ['pass value 0 allows only 0', n(0), 0, 0.5, P, P],
    ['pass value 0 and anything else', n(0.0001), 0, 0.5, F, F],
    ['a number as text', n(10), '10', undefined, P, P],
    ['text', 'SP', 'SP', undefined, P, P],
    ['other text', 'RJ', 'SP', undefined, F, F],
    ['text, the tolerance ignored', 'SQ', 'SP', 0.5, F, F],
    ['a tolerance as text', n(9.5), 10, '0.1', P, P],
    ['an unreadable tolerance is dropped', n(9.5), 10, 'muito', F, F],
    ['true is 1', true, 1, undefined, P, P],
    ['true as text', true, 'True', undefined, P, F],
    ['text against a number', 'abc', 10, undefined, F, F],
    ['NULL', null, 10, 0.1, F, F],
  ])('%s', (_what, value, passValue, tolerance, airflow, strict) => {
    const check = { pass_value: passValue, tolerance };
    expect(both((semantics) => valuePart('x', value, { ...check, semantics }))).toEqual([airflow, strict]);
  });
});

describe('threshold_check', () => {
  it.each<[what: string, value: number | null, min: number | null, max: number | null, verdict: string]>([
    ['within', 5, 1, 10, P],
    ['on the lower bound', 1, 1, 10, P],
    ['on the upper bound', 10, 1, 10, P],
    ['below', 0.999, 1, 10, F],
    ['above', 10.001, 1, 10, F],
    ['NULL', null, 1, 10, F],
    ['a NULL bound', 5, null, 10, F],
  ])('%s', (_what, value, min, max, verdict) => {
    expect(both((semantics) => thresholdPart('x', n(value), n(min), n(max), semantics))).toEqual([verdict, verdict]);
  });
});

describe('column_check', () => {
  it.each<[bounds: Bounds, value: number | null, airflow: string, strict: string]>([
    [{ equal_to: 0 }, 0, P, P],
    [{ equal_to: 0 }, 1, F, F],
    [{ geq_to: 5 }, 5, P, P],
    [{ geq_to: 5 }, 4.9, F, F],
    [{ greater_than: 5 }, 5, F, F],
    [{ greater_than: 5 }, 5.1, P, P],
    [{ leq_to: 5 }, 5, P, P],
    [{ leq_to: 5 }, 5.1, F, F],
    [{ less_than: 5 }, 5, F, F],
    [{ less_than: 5 }, 4.9, P, P],
    [{ geq_to: 1, less_than: 5 }, 3, P, P],
    [{ geq_to: 1, less_than: 5 }, 5, F, F],
    [{ greater_than: 1, leq_to: 5 }, 1, F, F],
    [{ equal_to: 100, tolerance: 0.1 }, 90, P, P],
    [{ equal_to: 100, tolerance: 0.1 }, 89, F, F],
    [{ geq_to: 100, tolerance: 0.1 }, 90, P, P],
    [{ leq_to: 100, tolerance: 0.1 }, 110, P, P],
    [{ leq_to: 100, tolerance: 0.1 }, 111, F, F],
    [{ greater_than: 100, tolerance: 0.1 }, 90, F, F],
    [{ less_than: 100, tolerance: 0.1 }, 109.9, P, P],
    // A negative bound: Airflow's tolerance narrows it.
    [{ geq_to: -100, tolerance: 0.1 }, -105, F, P],
    [{ equal_to: -100, tolerance: 0.1 }, -100, F, P],
    [{ geq_to: 0 }, null, F, F],
  ])('%j of %s', (bounds, value, airflow, strict) => {
    expect(both((semantics) => boundsPart('x', n(value), bounds, semantics))).toEqual([airflow, strict]);
  });
});

describe('table_check', () => {
  it.each([
    ['holds on every row', { yes: 3, no: 0, unknown: 0, failure: null }, P],
    ['false on one', { yes: 3, no: 1, unknown: 0, failure: null }, F],
    ['NULL counts as failing', { yes: 3, no: 0, unknown: 1, failure: null }, F],
    ['an empty table', { yes: 0, no: 0, unknown: 0, failure: null }, F],
  ])('%s', (_what, tally, verdict) => {
    expect(statementPart('s', tally).verdict).toBe(verdict);
  });

  it('takes a statement over aggregates', () => {
    expect([true, false, null].map((value) => aggregateStatementPart('s', value).verdict)).toEqual([P, F, F]);
  });
});
