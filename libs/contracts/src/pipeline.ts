// A pipeline as the services use it: what `pipeline-file` makes of `pipelines/NAME.yaml`.
import type { CheckSpec } from './check.js';

export type ColumnType = 'string' | 'integer' | 'decimal' | 'timestamp' | 'boolean';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly required: boolean;
  /** Allowed values as canonical text; null: any. */
  readonly domain: ReadonlySet<string> | null;
  /** Smallest and largest allowed number as plain text; null: none. */
  readonly min: string | null;
  readonly max: string | null;
  /** In characters (code points); null: none but the field's byte limit. */
  readonly maxLength: number | null;
  /** A regular expression (flag `u`) that the whole value must match; null: none. */
  readonly pattern: string | null;
  /** The second and later rows of a file with the same value are rejected. */
  readonly unique: boolean;
  /** Timestamps: the pattern of the text (Luxon's tokens); null: ISO 8601. */
  readonly format: string | null;
  /** Timestamps: the IANA zone of a text that states none. */
  readonly timeZone: string;
  /** Booleans: spellings, compared without case. */
  readonly trueValues: readonly string[];
  readonly falseValues: readonly string[];
}

export type Delimiter = ',' | ';' | '\t' | '|';
export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'latin1' | 'windows-1252';

/** How the file is written, as far as the pipeline says; `auto` is decided once a file, from its first 64 KiB. */
export interface CsvFormat {
  readonly delimiter: Delimiter | 'auto';
  readonly quote: string;
  readonly encoding: Encoding | 'auto';
  readonly decimalMark: '.' | ',' | 'auto';
  /** Names of the columns of a file that has no header line; null: the first record is the header. */
  readonly header: readonly string[] | null;
  /** Lines that begin with it are no records; null: there are no comments. */
  readonly comment: string | null;
  /** White space around unquoted values is taken off. */
  readonly trim: boolean;
  /** Spellings of the empty value. */
  readonly nulls: readonly string[];
  readonly unknownColumns: 'allow' | 'reject';
}

/** What was found, or set, for one file; kept with its run, so that a resumed run reads the same. */
export interface Dialect {
  readonly encoding: Encoding;
  /** Bytes of the byte order mark at the file's beginning: 0, 2 or 3. */
  readonly bomBytes: number;
  readonly delimiter: Delimiter;
  readonly decimalMark: '.' | ',';
}

export type Emit = 'updates' | 'final';

/** `graceMs` null is `unlimited`: such a window never closes. `timeZone` null: aligned to the epoch. */
export type TimeWindowSpec =
  | {
      readonly type: 'tumbling';
      readonly sizeMs: number;
      readonly graceMs: number | null;
      readonly timeZone: string | null;
      readonly emit: Emit;
    }
  | {
      readonly type: 'hopping';
      readonly sizeMs: number;
      readonly advanceMs: number;
      readonly graceMs: number | null;
      readonly timeZone: string | null;
      readonly emit: Emit;
    }
  | { readonly type: 'session'; readonly gapMs: number; readonly graceMs: number | null; readonly emit: Emit };

export type WindowSpec = { readonly type: 'upload' } | { readonly type: 'all_time' } | TimeWindowSpec;

export function isTimeWindow(window: WindowSpec): window is TimeWindowSpec {
  return window.type !== 'upload' && window.type !== 'all_time';
}

export const AGGREGATE_NAMES = [
  'count',
  'sum',
  'avg',
  'min',
  'max',
  'first',
  'last',
  'variance',
  'stddev',
  'approx_count_distinct',
  'approx_quantile',
  'top_k',
] as const;
export type AggregateName = (typeof AGGREGATE_NAMES)[number];

/** Aggregates of numbers alone. */
export const NUMERIC_AGGREGATES: ReadonlySet<AggregateName> = new Set([
  'sum',
  'avg',
  'min',
  'max',
  'variance',
  'stddev',
  'approx_quantile',
]);

export interface FeatureSpec {
  readonly name: string;
  readonly aggregate: AggregateName;
  /** A column's name, or `*` for `count` of rows. */
  readonly column: string;
  /** `approx_quantile` only: the quantile, 0 to 1. */
  readonly q?: number;
  /** `top_k` only: how many values. */
  readonly k?: number;
}

export interface View {
  readonly name: string;
  readonly groupBy: readonly string[];
  readonly window: WindowSpec;
  readonly features: readonly FeatureSpec[];
  readonly redis: { readonly key: string; readonly ttlMs: number | null };
}

export interface Retention {
  readonly rowsMs: number;
  readonly deadLetterMs: number;
  readonly runsMs: number;
}

export interface Schedule {
  readonly cron: string;
  readonly timeZone: string;
  /** Below `CAUDAL_DATA_DIR/files`. */
  readonly file: string;
  readonly saveToDb: boolean;
}

/** Of passing faults: attempts in all, the first counted, and the wait between two. */
export interface Retries {
  readonly attempts: number;
  readonly delayMs: number;
}

export const NOTIFY_STATES = ['completed', 'rejected', 'failed'] as const;
export interface Notify {
  readonly url: string;
  readonly on: readonly (typeof NOTIFY_STATES)[number][];
}

export interface Pipeline {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly csv: CsvFormat;
  /** The column of event time, or null: the run's `created_at`. */
  readonly eventTime: string | null;
  readonly key: readonly string[];
  readonly maxErrorFraction: number;
  /** `event_time`: rows are in the order of their time, stream time moves every 1,000 rows too. */
  readonly order: 'any' | 'event_time';
  /** Rows whose event time is further beyond the run's `created_at` are rejected. */
  readonly maxFutureMs: number;
  readonly views: readonly View[];
  readonly checks: readonly CheckSpec[];
  /** IANA zone of `run_date`: the schedule's, else UTC. */
  readonly timeZone: string;
  readonly retention: Retention;
  readonly schedule: Schedule | null;
  readonly retries: Retries | null;
  readonly notify: Notify | null;
  /** The file's text: stored with a run, so that a resumed run is read by the rules it began with. */
  readonly text: string;
}

/** Views with exactly the key columns run on `rows` themselves, the others through `partials`. */
export function runsOnRows(pipeline: Pick<Pipeline, 'key'>, view: Pick<View, 'groupBy'>): boolean {
  return view.groupBy.length === pipeline.key.length && view.groupBy.every((column) => pipeline.key.includes(column));
}

/** Where a view is aggregated: by the tasks of `rows`, or by those of `partials`. */
const STAGES = ['rows', 'partials'] as const;
export type Stage = (typeof STAGES)[number];

export function stageOf(pipeline: Pick<Pipeline, 'key'>, view: Pick<View, 'groupBy'>): Stage {
  return runsOnRows(pipeline, view) ? 'rows' : 'partials';
}

export function viewsOfStage(pipeline: Pick<Pipeline, 'key' | 'views'>, stage: Stage): View[] {
  return pipeline.views.filter((view) => stageOf(pipeline, view) === stage);
}

/** The stages that a pipeline needs: rows always, partials where views ask for it. */
export function stagesOf(pipeline: Pick<Pipeline, 'key' | 'views'>): Stage[] {
  return STAGES.filter((stage) => stage === 'rows' || viewsOfStage(pipeline, stage).length > 0);
}
