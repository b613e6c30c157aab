// Last step: the cells of one record -> the row as the pipeline declares it, or the first rule that it breaks.
import {
  cellText,
  encodeGroup,
  LIMITS,
  rowEncoder,
  type Cell,
  type Column,
  type DeadLetterCode,
  type Pipeline,
} from '#contracts';
import { canonicalBound, compareNumbers } from './plain-number.js';
import { timestampMs } from './timestamp.js';
import { isValueFault, valueReader, type ValueReader } from './type-value.js';

const DAY_MS = 86_400_000;

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
  readonly domain: ReadonlySet<string> | null;
  /** Canonical. */
  readonly min: string | null;
  /** Part of a key or a group, whose text is bounded. */
  readonly grouping: boolean;
}

/**
 * A function that types the records of one file. `header` must have no {@link headerProblems}; records must have as
 * many cells as it. Event times more than a day after `runCreatedAtMs` (epoch ms) are refused: one wrong year would
 * close every window. The same cells give the same row, whenever.
 */
export function rowTyper(
  pipeline: Pipeline,
  header: readonly string[],
  runCreatedAtMs: number,
): (cells: readonly string[]) => TypedRow {
  const grouping = new Set([...pipeline.key, ...pipeline.views.flatMap((view) => view.groupBy)]);
  const fields = pipeline.columns.map((column) => toField(column, header, grouping.has(column.name)));
  const placeOf = (name: string) => pipeline.columns.findIndex((column) => column.name === name);
  const keyPlaces = pipeline.key.map(placeOf);
  const timePlace = pipeline.eventTime === null ? -1 : placeOf(pipeline.eventTime);
  const latestMs = runCreatedAtMs + DAY_MS;
  const tooLarge = rowLimit(pipeline);
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
        const rule = `is more than 1 day after the run's created_at (${new Date(runCreatedAtMs).toISOString()})`;
        return rowFault(fields[timePlace]!, 'event_time', rule);
      }
    }
    return { ok: true, cells, timeMs, key: encodeGroup(keyPlaces.map((place) => cellText(cells[place]!))) };
  };
}

function toField(column: Column, header: readonly string[], grouping: boolean): Field {
  const index = header.indexOf(column.name);
  if (index === -1)
    throw new Error(`no column "${column.name}" in the header: look at headerProblems before typing rows`);
  const read = valueReader(column.type);
  const min = column.min === null ? null : canonicalBound(column.min);
  return { column, index, read, domain: canonicalDomain(column, read), min, grouping };
}

/** The allowed values as cells come out: `1.50` in the pipeline file allows the cell `1.5`. */
function canonicalDomain(column: Column, read: ValueReader): ReadonlySet<string> | null {
  if (column.domain === null) return null;
  return new Set(
    [...column.domain].map((text) => {
      const value = read(text);
      return value === null || isValueFault(value) ? text : cellText(value);
    }),
  );
}

function readField(field: Field, text: string): Cell | RowFault {
  const value = field.read(text);
  if (value === null) return field.column.required ? rowFault(field, 'required', 'is required and empty') : null;
  if (isValueFault(value)) return rowFault(field, value.code, value.rule);
  if (field.domain !== null && !field.domain.has(cellText(value))) {
    return rowFault(field, 'domain', `is none of the ${field.domain.size} allowed values`);
  }
  if (field.min !== null && compareNumbers(cellText(value), field.min) < 0) {
    return rowFault(field, 'range', `is below the minimum of ${field.min}`);
  }
  if (field.grouping && exceeds(cellText(value), LIMITS.groupValueBytes)) {
    return rowFault(field, 'length', `is longer than the ${LIMITS.groupValueBytes} bytes of a group value`);
  }
  return value;
}

/** No character takes more than three bytes per UTF-16 unit, so short texts need no counting. */
function exceeds(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

function rowFault(field: Field, code: DeadLetterCode, rule: string): RowFault {
  const column = field.column.name;
  return { ok: false, column, code, message: `column "${column}" ${rule}` };
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
