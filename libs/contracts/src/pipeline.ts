// A pipeline as the services use it: what `pipeline-file` makes of `pipelines/NAME.yaml`.

export type ColumnType = 'string' | 'integer' | 'decimal' | 'timestamp' | 'boolean';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly required: boolean;
  /** Allowed values as canonical text; null: any. */
  readonly domain: ReadonlySet<string> | null;
  /** Smallest allowed number as plain text; null: none. */
  readonly min: string | null;
}

export type WindowSpec =
  | { readonly type: 'upload' }
  | { readonly type: 'all_time' }
  /** Epoch-aligned `[start, start + sizeMs)`; `graceMs` null is `unlimited`: such a window never closes. */
  | { readonly type: 'tumbling'; readonly sizeMs: number; readonly graceMs: number | null };

export const AGGREGATE_NAMES = ['count', 'sum', 'avg', 'min', 'max'] as const;
export type AggregateName = (typeof AGGREGATE_NAMES)[number];

export interface FeatureSpec {
  readonly name: string;
  readonly aggregate: AggregateName;
  /** A column's name, or `*` for `count` of rows. */
  readonly column: string;
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

export interface Pipeline {
  readonly name: string;
  readonly columns: readonly Column[];
  /** The column of event time, or null: the run's `created_at`. */
  readonly eventTime: string | null;
  readonly key: readonly string[];
  readonly maxErrorFraction: number;
  readonly views: readonly View[];
  readonly retention: Retention;
  /** The file's text: stored with a run, so that a resumed run is read by the rules it began with. */
  readonly text: string;
}
