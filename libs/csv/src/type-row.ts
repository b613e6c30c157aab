// Last step: the cells of one record -> the row as the pipeline declares it, or the first rule that it breaks.
import {
  cellText,
  durationText,
  encodeGroup,
  LIMITS,
  rowEncoder,
  type Cell,
  type Column,
  type DeadLetterCode,
  type Pipeline,
} from '#contracts';
import { rulesOf, type Rule } from './column-rules.js';
import type { NumberStyle } from './plain-number.js';
import { timestampMs } from './timestamp.js';
import { isValueFault, valueReader, type ValueReader } from './type-value.js';
import { UniqueValues } from './unique-values.js';

export type TypedRow =
  | {
      ok: true;
      /** In the order of `pipeline.columns`. */
      cells: Cell[];
      /** Event time, epoch ms; null when the pipeline has no such column. */
      timeMs: number | null;
      /** The text of the key columns, as it keys the rows topic. */
      key: string;
    }
  | RowFault;

interface RowFault {
  ok: false;
  column: string;
  code: DeadLetterCode;
  /** Says the column and the rule, never the value: the dead letter holds the record. */
  message: string;
}

interface Field {
  readonly column: Column;
  /** Its place in the file's records. */
  readonly index: number;
  readonly read: ValueReader;
  readonly rules: readonly Rule[];
}

/**
 * A function that types the records of one file. `header` must have no {@link headerProblems}; records must have as
 * many cells as it. `decimalMark`: the file's own. Event times more than the pipeline's `max_future` after
 * `runCreatedAtMs` (epoch ms) are refused: one wrong year would close every window. The same cells give the same row,
 * whenever; only a `unique` column looks back, at the accepted rows before. Throws {@link CsvError} when that column has
 * too many values.
 */
export function rowTyper(
  pipeline: Pipeline,
  header: readonly string[],
  runCreatedAtMs: number,
  decimalMark: NumberStyle['decimalMark'],
): (cells: readonly string[]) => TypedRow {
  const grouping = new Set([...pipeline.key, ...pipeline.views.flatMap((view) => view.groupBy)]);
  const numbers = numberStyle(pipeline, decimalMark);
  const fields = pipeline.columns.map((column) =>
    toField(column, header, grouping.has(column.name), numbers, pipeline.csv.nulls),
  );
  const placeOf = (name: string) => pipeline.columns.findIndex((column) => column.name === name);
  const keyPlaces = pipeline.key.map(placeOf);
  const timePlace = pipeline.eventTime === null ? -1 : placeOf(pipeline.eventTime);
  const latestMs = runCreatedAtMs + pipeline.maxFutureMs;
  const tooLarge = rowLimit(pipeline);
  const repeated = repeatedValue(pipeline);
  return (texts) => {
    const cells: Cell[] = [];
    let length = 0;
    for (const field of fields) {
      const text = texts[field.index]!;
      const value = readField(field, text);
      if (isRowFault(value)) return value;
      length += text.length;
      cells.push(value);
    }
    const oversized = tooLarge(cells, length);
    if (oversized) return oversized;
    let timeMs: number | null = null;
    if (timePlace !== -1) {
      timeMs = timestampMs(cells[timePlace] as string);
      if (timeMs > latestMs) {
        const limit = durationText(pipeline.maxFutureMs);
        const rule = `is more than ${limit} (max_future) after the run's created_at (${new Date(runCreatedAtMs).toISOString()})`;
        return rowFault(fields[timePlace]!.column, 'event_time', rule);
      }
    }
    const twice = repeated(cells);
    if (twice) return twice;
    return { ok: true, cells, timeMs, key: encodeGroup(keyPlaces.map((place) => cellText(cells[place]!))) };
  };
}

/**
 * A function that reads the cells of a record which {@link rowTyper} has refused: each by its type alone, null where it
 * has none. Checks with a filter look at them.
 */
export function looseTyper(
  pipeline: Pipeline,
  header: readonly string[],
  decimalMark: NumberStyle['decimalMark'],
): (texts: readonly string[]) => Cell[] {
  const numbers = numberStyle(pipeline, decimalMark);
  const fields = pipeline.columns.map((column) => toField(column, header, false, numbers, pipeline.csv.nulls));
  return (texts) =>
    fields.map(({ index, read }) => {
      const value = read(texts[index]!);
      return isValueFault(value) ? null : value;
    });
}

function numberStyle({ csv }: Pipeline, decimalMark: NumberStyle['decimalMark']): NumberStyle {
  return { decimalMark, thousands: decimalMark === ',' || csv.decimalMark === '.' };
}

function toField(
  column: Column,
  header: readonly string[],
  grouping: boolean,
  numbers: NumberStyle,
  nulls: readonly string[],
): Field {
  const index = header.indexOf(column.name);
  if (index === -1)
    throw new Error(`no column "${column.name}" in the header: look at headerProblems before typing rows`);
  return { column, index, read: valueReader(column, numbers, nulls), rules: rulesOf(column, grouping) };
}

function readField({ column, read, rules }: Field, text: string): Cell | RowFault {
  const value = read(text);
  if (value === null) return column.required ? rowFault(column, 'required', 'is required and empty') : null;
  if (isValueFault(value)) return rowFault(column, value.code, value.rule);
  if (rules.length === 0) return value;
  const canonical = cellText(value);
  for (const rule of rules) {
    const broken = rule(canonical);
    if (broken) return rowFault(column, broken.code, broken.rule);
  }
  return value;
}

/** Holds the values of each `unique` column apart; a row that is refused leaves no trace. Null is no value. */
function repeatedValue({ columns }: Pipeline): (cells: readonly Cell[]) => RowFault | null {
  const unique = columns.flatMap((column, place) =>
    column.unique ? [{ column, place, seen: new UniqueValues(column.name) }] : [],
  );
  if (unique.length === 0) return () => null;
  return (cells) => {
    for (const { column, place, seen } of unique) {
      const value = cells[place]!;
      if (value !== null && seen.has(cellText(value))) {
        return rowFault(column, 'unique', 'is unique and has the value of an earlier row of the file');
      }
    }
    for (const { place, seen } of unique) {
      const value = cells[place]!;
      if (value !== null) seen.add(cellText(value));
    }
    return null;
  };
}

function rowFault({ name }: Column, code: DeadLetterCode, rule: string): RowFault {
  return { ok: false, column: name, code, message: `column "${name}" ${rule}` };
}

function isRowFault(value: Cell | RowFault): value is RowFault {
  return typeof value === 'object' && value !== null;
}

/** Holds rows to the bytes that a record of `rows` may have; `length` is the sum of the cells' lengths. */
function rowLimit(pipeline: Pipeline): (cells: readonly Cell[], length: number) => RowFault | null {
  const encode = rowEncoder(pipeline);
  // Upload, row and time at their longest, and per column what null or a timestamp takes, with quotes and comma.
  const widest = [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER] as const;
  const encodedBytes = (cells: readonly Cell[]) => Buffer.byteLength(encode(cells, '0'.repeat(26), ...widest));
  const fixedBytes = encodedBytes(pipeline.columns.map(() => null)) + pipeline.columns.length * 32;
  return (cells, length) => {
    // JSON writes no UTF-16 unit with more than six bytes: most rows need no counting.
    if (fixedBytes + length * 6 <= LIMITS.rowJsonBytes || encodedBytes(cells) <= LIMITS.rowJsonBytes) return null;
    let largest = 0;
    for (let i = 1; i < cells.length; i++) {
      if (String(cells[i]).length > String(cells[largest]).length) largest = i;
    }
    const column = pipeline.columns[largest]!.name;
    const message = `the row is larger than ${LIMITS.rowJsonBytes} bytes as JSON; its largest column is "${column}"`;
    return { ok: false, column, code: 'too_large', message };
  };
}
