// What one pass over a table leaves for its checks: slices of rows with their aggregates and profiles. As JSON it is kept
// with the run, and is the reference that later files are compared with.
import {
  filterOf,
  formatExpression,
  parseExpression,
  type Cell,
  type CheckSpec,
  type DeadLetterCode,
} from '#contracts';
import type { ColumnProfile } from './column-profile.js';
import { DivisionByZero } from './evaluate.js';
import { decodeColumns, encodeColumns, type ColumnsJson } from './profile.js';
import { Rational } from './rational.js';
import { countRejected, type RejectedJson } from './rejected.js';
import { Slice } from './slice.js';
import type { TableColumn } from './table-column.js';

/** Metrics by the canonical text of their expression; `n/d`, or null where the value is NULL. */
interface SliceJson {
  rows: number;
  metrics: Record<string, string | null>;
  columns: ColumnsJson;
}

/** Slices by the canonical text of their filter; the empty one holds all rows. */
export type TableJson = Record<string, SliceJson>;

/** The filter of a check in its canonical form; empty for all rows. */
export function filterText(check: CheckSpec): string {
  const filter = filterOf(check);
  return filter === null ? '' : formatExpression(parseExpression(filter));
}

export class TableEvidence {
  readonly rejected: RejectedJson = {};
  private readonly slices = new Map<string, Slice>();
  private readonly metrics = new Map<Slice, Map<string, () => unknown>>();

  /** `runDay`: what `run_date` is, in days since 1970-01-01. */
  constructor(
    readonly columns: readonly TableColumn[],
    private readonly runDay: number,
  ) {}

  add(cells: readonly Cell[]): void {
    for (const slice of this.slices.values()) slice.add(cells);
  }

  /** Counts a rejected record. `cells`: what can be read of it; null where its fields could not be told apart. */
  addRejected(column: string | null, code: DeadLetterCode, cells: (() => readonly Cell[]) | null): void {
    countRejected(this.rejected, column, code);
    for (const slice of this.slices.values()) slice.addRejected(column, code, cells);
  }

  /** The slice of a filter; asked for before the first row. */
  slice(where: string): Slice {
    let slice = this.slices.get(where);
    if (!slice) {
      slice = new Slice(where, this.columns, this.runDay);
      this.slices.set(where, slice);
    }
    return slice;
  }

  /** A metric that is to be kept for later files. Answers its canonical text. */
  keepMetric(slice: Slice, expression: string): string {
    const parsed = parseExpression(expression);
    const text = formatExpression(parsed);
    const kept = this.metrics.get(slice) ?? new Map<string, () => unknown>();
    kept.set(text, slice.metric(parsed));
    this.metrics.set(slice, kept);
    return text;
  }

  /** About `bytes` of JSON at most. */
  toJSON(bytes: number): TableJson {
    const slices = [...this.slices.values()];
    const profiled = Math.max(
      1,
      slices.reduce((sum, slice) => sum + slice.profiles.size, 0),
    );
    const json: TableJson = {};
    for (const slice of slices) {
      const metrics: SliceJson['metrics'] = {};
      for (const [text, value] of this.metrics.get(slice) ?? []) metrics[text] = metricJson(value);
      const columns = encodeColumns(slice.profiles, (bytes * slice.profiles.size) / profiled);
      json[slice.where] = { rows: slice.rows, metrics, columns };
    }
    return json;
  }
}

function metricJson(read: () => unknown): string | null {
  try {
    const value = read();
    return value instanceof Rational && !value.isNaN ? value.write() : null;
  } catch (error) {
    if (error instanceof DivisionByZero) return null;
    throw error;
  }
}

/** A slice of an earlier file, as checks ask for it. */
export interface ReferenceSlice {
  readonly rows: number;
  /** Undefined: that file was not asked for it. */
  metric(text: string): Rational | null | undefined;
  column(name: string): ColumnProfile | undefined;
}

/** Undefined: that file was not asked for this filter. */
export function referenceSlice(table: TableJson | undefined, where: string): ReferenceSlice | undefined {
  if (!table || !Object.hasOwn(table, where)) return undefined;
  const slice = table[where]!;
  const columns = decodeColumns(slice.columns);
  return {
    rows: slice.rows,
    metric: (text) => {
      if (!Object.hasOwn(slice.metrics, text)) return undefined;
      const value = slice.metrics[text]!;
      return value === null ? null : Rational.read(value);
    },
    column: (name) => columns.get(name),
  };
}
