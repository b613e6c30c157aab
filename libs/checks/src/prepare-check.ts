// One declared check -> what it needs of the pass over its table, and the function that decides it afterwards.
import {
  COLUMN_CHECK_NAMES,
  hasCalls,
  parseExpression,
  testedExpressions,
  type CheckOf,
  type CheckResult,
  type CheckSpec,
} from '#contracts';
import { DivisionByZero } from './evaluate.js';
import { filterText, type ReferenceSlice, type TableEvidence } from './evidence.js';
import { Rational } from './rational.js';
import type { Slice } from './slice.js';
import { cellReader } from './table-column.js';
import type { Value } from './value.js';
import { aggregateStatementPart, boundsPart, statementPart } from './verdicts/columns.js';
import { driftPart } from './verdicts/drift.js';
import { intervalPart } from './verdicts/interval.js';
import { combine, fail, type Part } from './verdicts/outcome.js';
import { presencePart, rowCountPart, typePart, unexpectedPart, valueSkewPart } from './verdicts/skew.js';
import { thresholdPart, truthPart, valuePart } from './verdicts/values.js';

/** The slice of the reference that belongs to the check, or why there is none. */
export type Reference = ReferenceSlice | { readonly missing: string };

export interface PreparedCheck {
  readonly check: CheckSpec;
  /** The canonical filter. */
  readonly where: string;
  /** Whether {@link decide} looks at its argument. */
  readonly compares: boolean;
  /** After the last row. */
  decide(reference: Reference): CheckResult;
}

type Parts = (reference: Reference) => Part[];

/** `unexpected`: columns of the file that the pipeline does not declare, known when its header has been read. */
export function prepareCheck(
  check: CheckSpec,
  table: TableEvidence,
  unexpected: () => readonly string[],
): PreparedCheck {
  const where = filterText(check);
  const slice = table.slice(where);
  const parts = prepareParts(check, table, slice, unexpected);
  return {
    check,
    where,
    compares: COMPARING.has(check.type),
    decide: (reference) =>
      combine(check, slice.failure === null ? settled(check, parts, reference) : [broken(check, slice.failure)]),
  };
}

const COMPARING: ReadonlySet<CheckSpec['type']> = new Set([
  'schema_skew',
  'row_count_change',
  'drift',
  'interval_check',
]);

function settled(check: CheckSpec, parts: Parts, reference: Reference): Part[] {
  try {
    return parts(reference);
  } catch (error) {
    if (!(error instanceof DivisionByZero)) throw error;
    return [broken(check, error.message)];
  }
}

function broken(check: CheckSpec, reason: string): Part {
  return fail(check.name, null, null, reason);
}

function prepareParts(
  check: CheckSpec,
  table: TableEvidence,
  slice: Slice,
  unexpected: () => readonly string[],
): Parts {
  switch (check.type) {
    case 'schema_skew':
      return schemaSkew(check, table, slice, unexpected);
    case 'value_skew':
      return valueSkew(check, table, slice);
    case 'row_count_change':
      return (reference) =>
        'missing' in reference ? [noReference(check, reference)] : [rowCountPart(slice.rows, reference.rows, check)];
    case 'drift':
      return drift(check, table, slice);
    case 'check':
      return each(check, slice, (label, value) => truthPart(label, value, check.semantics));
    case 'value_check':
      return each(check, slice, (label, value) => valuePart(label, value, check));
    case 'threshold_check': {
      const [min, max] = [
        slice.metric(parseExpression(check.min_threshold)),
        slice.metric(parseExpression(check.max_threshold)),
      ];
      return each(check, slice, (label, value) => thresholdPart(label, value, min(), max(), check.semantics));
    }
    case 'interval_check':
      return interval(check, table, slice);
    case 'column_check':
      return columns(check, slice);
    case 'table_check':
      return statements(check, slice);
  }
}

function each(
  check: CheckOf<'check' | 'value_check' | 'threshold_check'>,
  slice: Slice,
  part: (label: string, value: Value) => Part,
): Parts {
  const values = testedExpressions(check).map((text) => [text, slice.metric(parseExpression(text))] as const);
  return () => values.map(([text, value]) => part(text, value()));
}

/** What became of a check whose reference is not there. */
function noReference(
  check: CheckSpec & { on_missing_reference?: 'pass' | 'fail' | undefined },
  reference: { missing: string },
): Part {
  const fails = (check.on_missing_reference ?? (check.semantics === 'airflow' ? 'fail' : 'pass')) === 'fail';
  const label = check.name;
  return { label, verdict: fails ? 'fail' : 'no_reference', observed: null, expected: null, reason: reference.missing };
}

function schemaSkew(
  check: CheckOf<'schema_skew'>,
  table: TableEvidence,
  slice: Slice,
  unexpected: () => readonly string[],
): Parts {
  slice.keepProfile(table.columns);
  return (reference) => {
    const profiles = [...slice.profiles];
    const types =
      'missing' in reference
        ? [noReference(check, reference)]
        : profiles.map(([name, profile]) => typePart(name, profile, reference.column(name)));
    return [
      unexpectedPart(unexpected()),
      ...profiles.map(([name, profile]) => presencePart(name, profile, check.min_fraction)),
      ...types,
    ];
  };
}

function valueSkew(check: CheckOf<'value_skew'>, table: TableEvidence, slice: Slice): Parts {
  const column = table.columns.find(({ name }) => name === check.column)!;
  const read = cellReader(column);
  const cellOf = slice.cellOf(check.column);
  const number = column.type === 'integer' || column.type === 'decimal';
  const domain =
    check.domain && new Set(number ? check.domain.map((text) => Rational.parse(text).write()) : check.domain);
  const [min, max] = [check.min, check.max].map((text) => (text === undefined ? null : Rational.parse(text)));
  const tally = slice.tally((cells) => {
    const cell = cellOf(cells);
    if (cell === null) return null;
    if (!number) return domain === undefined || domain.has(String(cell));
    if (domain === undefined && min === null && max === null) return true;
    const value = read(cell) as Rational;
    const inRange = (min == null || value.compare(min) >= 0) && (max == null || value.compare(max) <= 0);
    return inRange && (domain === undefined || domain.has(value.write()));
  });
  const rejected = slice.where === '' ? table.rejected : slice.keepRejected();
  return () => [valueSkewPart(check, tally, rejected)];
}

function drift(check: CheckOf<'drift'>, table: TableEvidence, slice: Slice): Parts {
  slice.keepProfile(table.columns.filter(({ name }) => name === check.column));
  return (reference) => {
    const now = slice.profiles.get(check.column)!;
    const before = 'missing' in reference ? undefined : reference.column(check.column);
    if (before?.type === now.type) return [driftPart(check, now, before)];
    const changed = before ? `${check.column} was of type ${before.type}` : `there is no column ${check.column}`;
    return [noReference(check, 'missing' in reference ? reference : { missing: `in the reference ${changed}` })];
  };
}

function interval(check: CheckOf<'interval_check'>, table: TableEvidence, slice: Slice): Parts {
  const metrics = Object.entries(check.metrics_thresholds).map(([text, threshold]) => {
    const key = table.keepMetric(slice, text);
    return { text, threshold, key, value: slice.metric(parseExpression(text)) };
  });
  return (reference) =>
    metrics.map(({ text, threshold, key, value }) => {
      if ('missing' in reference) return noReference(check, reference);
      const before = reference.metric(key);
      if (before === undefined) return noReference(check, { missing: `the reference was not asked for ${text}` });
      return intervalPart(text, value() as Rational | null, before, threshold, check);
    });
}

function columns(check: CheckOf<'column_check'>, slice: Slice): Parts {
  const parts = Object.entries(check.column_mapping).flatMap(([column, mapping]) =>
    COLUMN_CHECK_NAMES.flatMap((kind) => {
      const bounds = mapping[kind];
      if (!bounds) return [];
      const label = `${column} ${kind}`;
      const count = slice.accumulator('count', column);
      const distinct =
        kind === 'distinct_check' || kind === 'unique_check' ? slice.accumulator('count_distinct', column) : null;
      const extreme = kind === 'min' || kind === 'max' ? slice.accumulator(kind, column) : null;
      const value = (): Value => {
        const values = count.value(slice.rows) as Rational;
        if (extreme) return extreme.value(slice.rows);
        if (!distinct) return Rational.of(BigInt(slice.rows)).minus(values);
        const different = distinct.value(slice.rows) as Rational;
        return kind === 'distinct_check' ? different : values.minus(different);
      };
      return [() => boundsPart(label, value(), bounds, check.semantics, distinct?.exact === false)];
    }),
  );
  return () => parts.map((part) => part());
}

function statements(check: CheckOf<'table_check'>, slice: Slice): Parts {
  const parts = Object.entries(check.checks).map(([name, { check_statement: text }]) => {
    const expression = parseExpression(text);
    if (!hasCalls(expression)) {
      const tally = slice.statement(expression);
      return () => statementPart(name, tally);
    }
    const value = slice.metric(expression);
    return () => aggregateStatementPart(name, value());
  });
  return () => parts.map((part) => part());
}
