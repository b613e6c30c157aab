// The parts of a check (one a metric, statement or bound) -> its one result in the run.
import { dateText, type CheckResult, type CheckSpec, type Verdict } from '#contracts';
import { Rational } from '../rational.js';
import { Day, Moment, type Value } from '../value.js';

export interface Part {
  /** What was looked at, where a check looks at several things: an expression, a column, a statement. */
  label: string;
  verdict: Verdict;
  observed: string | number | null;
  expected: string | number | null;
  /** Null where it passes and there is nothing to say. */
  reason: string | null;
}

const LONGEST = 1_000;

/** One result: failing parts rule, then those without a reference. */
export function combine(check: CheckSpec, parts: readonly Part[]): CheckResult {
  const { name, type, severity } = check;
  const verdict =
    (['fail', 'no_reference'] as const).find((one) => parts.some((part) => part.verdict === one)) ?? 'pass';
  const told = parts.filter((part) => part.verdict === verdict);
  const reasons = told.flatMap((part) => part.reason ?? []);
  return {
    name,
    type,
    severity,
    verdict,
    observed: joined(told, (part) => part.observed, parts.length > 1),
    expected: joined(told, (part) => part.expected, parts.length > 1),
    reason: reasons.length === 0 ? null : [...new Set(reasons)].join('; ').slice(0, LONGEST),
  };
}

function joined(
  parts: readonly Part[],
  pick: (part: Part) => string | number | null,
  many: boolean,
): string | number | null {
  if (!many) return parts[0] ? pick(parts[0]) : null;
  if (parts.every((part) => pick(part) === null)) return null;
  const texts = parts.map((part) => `${part.label}: ${pick(part) ?? 'NULL'}`);
  return texts.join('; ').slice(0, LONGEST);
}

export function pass(label: string, observed: Part['observed'], expected: Part['expected']): Part {
  return { label, verdict: 'pass', observed, expected, reason: null };
}

export function fail(label: string, observed: Part['observed'], expected: Part['expected'], reason: string): Part {
  return { label, verdict: 'fail', observed, expected, reason };
}

/** A value as the run shows it: integers as numbers while they are safe, all else as text. */
export function shown(value: Value): string | number | null {
  if (value === null) return null;
  if (value instanceof Rational) {
    const text = value.format();
    return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  }
  if (value instanceof Day) return dateText(value.day);
  return value instanceof Moment ? new Date(value.ms).toISOString() : String(value);
}
