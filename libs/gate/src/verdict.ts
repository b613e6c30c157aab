// The gate's own verdicts: those that every file gets, whatever its pipeline checks beside them.
import type { CheckResult, CheckSpec, RunError } from '#contracts';

export function headerVerdict(
  found: { passes: boolean; observed: string | null; reason: string | null },
  expected: string,
): CheckResult {
  return verdict('header', 'schema', { ...found, expected });
}

/** What the pipeline's `schema_skew` checks say of a file whose columns do not let it be read: they saw the same. */
export function skewVerdicts(checks: readonly CheckSpec[], observed: string, expected: string, reason: string) {
  return checks
    .filter(({ type }) => type === 'schema_skew')
    .map(({ name, type, severity }): CheckResult => {
      return { name, type, severity, verdict: 'fail', observed, expected, reason };
    });
}

/** Not a fault of one record: a `unique` column with more values than can be told apart. */
export function rulesVerdict(reason: string): CheckResult {
  return verdict('rules', 'schema', { passes: false, observed: null, expected: null, reason });
}

export function errorFraction(rows: { read: number; rejected: number }, max: number): CheckResult {
  const observed = rows.read === 0 ? 0 : rows.rejected / rows.read;
  const passes = observed <= max;
  const reason = passes ? null : `${rows.rejected} of ${rows.read} records were rejected, more than ${max} of them`;
  return verdict('max_error_fraction', 'max_error_fraction', { passes, observed, expected: max, reason });
}

export function tooManyRows(max: number): CheckResult {
  const reason = `the file has more than ${max} records: split it`;
  return verdict('max_rows', 'max_rows', { passes: false, observed: null, expected: max, reason });
}

function verdict(
  name: string,
  type: string,
  found: { passes: boolean; observed: string | number | null; expected: string | number | null; reason: string | null },
): CheckResult {
  const { passes, ...shown } = found;
  return { name, type, severity: 'error', verdict: passes ? 'pass' : 'fail', ...shown };
}

/** Why these results refuse the file; null when they do not. */
export function refusal(checks: readonly CheckResult[]): RunError | null {
  const failed = checks.filter((check) => check.verdict === 'fail' && check.severity === 'error');
  if (failed.length === 0) return null;
  const code = failed[0]!.name === 'header' ? 'header_mismatch' : 'checks_failed';
  const message = `refused by ${failed.map((check) => `${check.name} (${check.reason})`).join(', ')}`;
  return { code, message, retriable: false };
}
