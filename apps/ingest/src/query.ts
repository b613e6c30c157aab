// Query parameters, read strictly: an unknown value or a repeated parameter is an error, never a guess.
import { Problem } from './problem.js';

export type Query = Record<string, string | string[] | undefined>;

/** Refuses parameters that are repeated or not among `allowed`. */
export function checkQuery(query: Query, allowed: readonly string[]): void {
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) throw bad(name, 'is given more than once');
    if (!allowed.includes(name)) throw bad(name, `is not known here; known are ${allowed.join(', ') || 'none'}`);
  }
}

export function booleanOf(query: Query, name: string, fallback: boolean): boolean {
  const value = query[name];
  if (value === undefined) return fallback;
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw bad(name, 'must be true or false');
}

export function integerOf(query: Query, name: string, bounds: { min: number; max: number; fallback: number }): number {
  const value = query[name];
  if (value === undefined) return bounds.fallback;
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= bounds.min && number <= bounds.max) return number;
  throw bad(name, `must be a whole number from ${bounds.min} to ${bounds.max}`);
}

export function textOf(query: Query, name: string, pattern: RegExp, expected: string): string | undefined {
  const value = query[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw bad(name, `must be ${expected}`);
}

/** Why somebody overrides what is usual, as the run keeps it; null: none is given. */
export function reasonOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  // oxlint-disable-next-line no-control-regex
  if (typeof value === 'string' && /^[^\u0000-\u001f\u007f]{1,500}$/.test(value) && value.trim() !== '') return value;
  throw new Problem(400, 'bad_reason', 'the reason must be 1 to 500 characters of text in one line');
}

function bad(name: string, what: string): Problem {
  return new Problem(400, 'bad_query', `query parameter "${name.slice(0, 100)}" ${what}`);
}
