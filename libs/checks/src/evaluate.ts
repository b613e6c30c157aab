// Syntax tree -> a function that computes it. The same for a row's cells (`where`, `check_statement`) and for the aggregates
// of all rows: only the leaves differ.
import { dateDay, formatExpression, momentMs, type Comparison, type Expression, type FunctionName } from '#contracts';
import { Rational } from './rational.js';
import { and, compareValues, Day, Moment, or, type Value } from './value.js';

/** What names in an expression stand for. `runDay`: in days since 1970-01-01. */
export interface Leaves {
  column(name: string): () => Value;
  call(name: FunctionName, column: string | null): () => Value;
  readonly runDay: number;
}

export class DivisionByZero extends Error {
  constructor(divisor: Expression) {
    super(`division by zero: ${formatExpression(divisor)} is 0`);
  }
}

/** The function may throw {@link DivisionByZero}. The expression must have passed `typeOf`. */
export function compile(expression: Expression, leaves: Leaves): () => Value {
  const inner = (part: Expression) => compile(part, leaves);
  switch (expression.kind) {
    case 'number':
      return constant(Rational.parse(expression.text));
    case 'text':
      return constant(expression.text);
    case 'boolean':
      return constant(expression.value);
    case 'null':
      return constant(null);
    case 'run_date':
      return constant(new Day(leaves.runDay));
    case 'column':
      return leaves.column(expression.name);
    case 'call':
      return leaves.call(expression.name, expression.column);
    case 'negate': {
      const of = inner(expression.of);
      return () => (of() as Rational | null)?.negated() ?? null;
    }
    case 'not': {
      const of = inner(expression.of);
      return () => {
        const value = of();
        return value === null ? null : value === false;
      };
    }
    case 'is_null': {
      const of = inner(expression.of);
      return () => of() === null;
    }
    case 'and':
    case 'or': {
      const [left, right] = [inner(expression.left), inner(expression.right)];
      const combine = expression.kind === 'and' ? and : or;
      return () => combine(left(), right);
    }
    case 'arithmetic':
      return arithmetic(expression, inner(expression.left), inner(expression.right));
    case 'compare':
      return comparison(expression, inner);
  }
}

function constant(value: Value): () => Value {
  return () => value;
}

function arithmetic(
  expression: Extract<Expression, { kind: 'arithmetic' }>,
  left: () => Value,
  right: () => Value,
): () => Value {
  return () => {
    const [a, b] = [left(), right()];
    if (a === null || b === null) return null;
    const other = b as Rational;
    if (a instanceof Day) {
      const days = Math.trunc(other.toNumber());
      return new Day(expression.op === '+' ? a.day + days : a.day - days);
    }
    const one = a as Rational;
    switch (expression.op) {
      case '+':
        return one.plus(other);
      case '-':
        return one.minus(other);
      case '*':
        return one.times(other);
      case '/':
        if (other.isZero) throw new DivisionByZero(expression.right);
        return one.over(other);
    }
  };
}

/** A text beside a moment or a day is a date or a date-time: read once. */
function comparison(
  expression: Extract<Expression, { kind: 'compare' }>,
  inner: (part: Expression) => () => Value,
): () => Value {
  const { op, left, right } = expression;
  const [a, b] = [inner(left), inner(right)];
  if (right.kind === 'text') return besideText(op, a, right.text, false);
  if (left.kind === 'text') return besideText(op, b, left.text, true);
  return () => compareValues(op, a(), b());
}

function besideText(op: Comparison, of: () => Value, text: string, textFirst: boolean): () => Value {
  const moment = readMoment(text);
  return () => {
    const value = of();
    const other = value instanceof Moment || value instanceof Day ? moment : text;
    return textFirst ? compareValues(op, other, value) : compareValues(op, value, other);
  };
}

function readMoment(text: string): Moment | Day | null {
  const ms = momentMs(text);
  if (ms !== null) return new Moment(ms, Math.floor(ms / 86_400_000));
  const day = dateDay(text);
  return day === null ? null : new Day(day);
}
