// What expressions come to, and how two values compare: with SQL's three-valued logic, NULL being neither true nor false.
import type { Comparison } from '#contracts';
import { Rational } from './rational.js';

/** A moment, and the calendar day that it falls on in the zone of its column. */
export class Moment {
  constructor(
    readonly ms: number,
    readonly day: number,
  ) {}
}

/** A calendar day, in days since 1970-01-01. */
export class Day {
  constructor(readonly day: number) {}
}

export type Value = null | boolean | string | Rational | Moment | Day;

/** Null when one of them is NULL. Moments and days compare by day, moments among themselves by their instants. */
export function compareValues(op: Comparison, left: Value, right: Value): boolean | null {
  if (left === null || right === null) return null;
  return holds(op, order(left, right));
}

function holds(op: Comparison, sign: number): boolean {
  switch (op) {
    case '=':
      return sign === 0;
    case '!=':
      return sign !== 0;
    case '<':
      return sign < 0;
    case '<=':
      return sign <= 0;
    case '>':
      return sign > 0;
    case '>=':
      return sign >= 0;
  }
}

function order(left: NonNullable<Value>, right: NonNullable<Value>): number {
  if (left instanceof Rational && right instanceof Rational) return left.compare(right);
  if (left instanceof Moment && right instanceof Moment) return left.ms - right.ms;
  if ((left instanceof Moment || left instanceof Day) && (right instanceof Moment || right instanceof Day)) {
    return left.day - right.day;
  }
  return left < right ? -1 : left > right ? 1 : 0;
}

/** AND of SQL: false wins over NULL. */
export function and(left: Value, right: () => Value): boolean | null {
  if (left === false) return false;
  const other = right();
  if (other === false) return false;
  return left === null || other === null ? null : true;
}

/** OR of SQL: true wins over NULL. */
export function or(left: Value, right: () => Value): boolean | null {
  if (left === true) return true;
  const other = right();
  if (other === true) return true;
  return left === null || other === null ? null : false;
}
