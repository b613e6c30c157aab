// The validated document of a pipeline file -> the pipeline that the services use.
import type { AggregateName, Column, CsvFormat, FeatureSpec, Pipeline, View, WindowSpec } from './pipeline.js';
import type { PipelineDocument } from './pipeline-schema.js';

type ColumnDocument = PipelineDocument['source']['columns'][string];
type ViewDocument = PipelineDocument['views'][string];

/** `text`: the file's own, kept with the pipeline. */
export function toPipeline(doc: PipelineDocument, text: string): Pipeline {
  const { source, schedule, retries } = doc;
  const views = Object.entries(doc.views).map(([name, view]) => toView(name, view));
  return {
    name: doc.name,
    columns: Object.entries(source.columns).map(([name, column]) => toColumn(name, column)),
    csv: toCsvFormat(source),
    eventTime: source.event_time ?? null,
    key: source.key ?? views[0]!.groupBy,
    maxErrorFraction: source.max_error_fraction,
    order: source.order,
    maxFutureMs: source.max_future,
    views,
    checks: doc.checks,
    timeZone: schedule?.time_zone ?? 'UTC',
    retention: { rowsMs: doc.retention.rows, deadLetterMs: doc.retention.dead_letter, runsMs: doc.retention.runs },
    schedule: schedule
      ? { cron: schedule.cron, timeZone: schedule.time_zone, file: schedule.file, saveToDb: schedule.save_to_db }
      : null,
    retries: retries ? { attempts: retries.attempts, delayMs: retries.delay } : null,
    notify: doc.notify ?? null,
    text,
  };
}

function toColumn(name: string, column: ColumnDocument): Column {
  return {
    name,
    type: column.type,
    required: column.required,
    domain: column.domain ? new Set(column.domain) : null,
    min: column.min ?? null,
    max: column.max ?? null,
    maxLength: column.max_length ?? null,
    pattern: column.pattern ?? null,
    unique: column.unique,
    format: column.format ?? null,
    timeZone: column.time_zone ?? 'UTC',
    trueValues: column.true_values ?? ['true'],
    falseValues: column.false_values ?? ['false'],
  };
}

function toCsvFormat(source: PipelineDocument['source']): CsvFormat {
  const { delimiter } = source;
  return {
    delimiter: delimiter === 'tab' ? '\t' : delimiter === 'pipe' ? '|' : delimiter,
    quote: source.quote,
    encoding: source.encoding,
    decimalMark: source.decimal_mark,
    header: source.header ?? null,
    comment: source.comment ?? null,
    trim: source.trim,
    nulls: source.nulls,
    unknownColumns: source.unknown_columns,
  };
}

function toView(name: string, view: ViewDocument): View {
  return {
    name,
    groupBy: view.group_by,
    window: toWindow(view),
    features: Object.entries(view.features).map(([featureName, feature]) => toFeature(featureName, feature)),
    redis: { key: view.redis.key, ttlMs: view.redis.ttl ?? null },
  };
}

function toWindow({ window, emit }: ViewDocument): WindowSpec {
  if (window.type === 'upload' || window.type === 'all_time') return { type: window.type };
  const graceMs = window.grace === 'unlimited' ? null : window.grace;
  const how = { graceMs, emit: window.emit ?? emit ?? 'updates' } as const;
  switch (window.type) {
    case 'tumbling':
      return { type: 'tumbling', sizeMs: window.size, timeZone: window.time_zone ?? null, ...how };
    case 'hopping': {
      const { size, advance, time_zone: timeZone = null } = window;
      return { type: 'hopping', sizeMs: size, advanceMs: advance, timeZone, ...how };
    }
    case 'session':
      return { type: 'session', gapMs: window.gap, ...how };
  }
}

/** `{ sum: column }`, `{ approx_quantile: { column, q } }`. */
export function toFeature(name: string, feature: ViewDocument['features'][string]): FeatureSpec {
  const [aggregate, of] = Object.entries(feature)[0]! as [
    AggregateName,
    string | { column: string; q?: number; k?: number },
  ];
  return typeof of === 'string' ? { name, aggregate, column: of } : { name, aggregate, ...of };
}
