// What crosses keys in a pipeline file: columns that are named must exist, windows must fit their zone, keys their views.
import { checkChecks } from './check-rules.js';
import { ACCUMULATOR_BYTES, ENTRY_BYTES, largestEntryBytes } from './entry-size.js';
import { checkColumn } from './column-document-rules.js';
import { didYouMean } from './did-you-mean.js';
import { LIMITS } from './limits.js';
import { NUMERIC_AGGREGATES, type FeatureSpec } from './pipeline.js';
import type { PipelineDocument } from './pipeline-schema.js';
import { templateProblems } from './redis-key-template.js';
import { checkSchedule } from './schedule-rules.js';
import { toFeature } from './to-pipeline.js';

export type Path = readonly PropertyKey[];
export type Report = (path: Path, message: string) => void;

/** Reports everything that a pipeline file's parts do not allow each other. */
export function checkAcrossKeys(doc: PipelineDocument, report: Report): void {
  checkColumns(doc, report);
  const key = doc.source.key ?? Object.values(doc.views)[0]!.group_by;
  checkNamed(doc, key, ['source', 'key'], report);
  const { event_time: eventTime } = doc.source;
  if (eventTime !== undefined) {
    checkNamed(doc, [eventTime], ['source', 'event_time'], report);
    const column = doc.source.columns[eventTime];
    if (column && column.type !== 'timestamp') {
      report(['source', 'event_time'], `column "${eventTime}" must be of type timestamp, it is ${column.type}`);
    }
  }
  checkDialect(doc, report);
  checkSchedule(doc, report);
  const templates = new Map<string, string>();
  for (const [name, view] of Object.entries(doc.views)) checkView(doc, name, view, templates, report);
  checkChecks(doc, report);
}

function checkDialect({ source }: PipelineDocument, report: Report): void {
  const { header, quote, comment, delimiter } = source;
  if (delimiter === quote) report(['source', 'quote'], 'must differ from the delimiter');
  if (comment !== undefined && (comment === quote || comment === delimiter)) {
    report(['source', 'comment'], 'must differ from quote and delimiter');
  }
  if (header === undefined) return;
  if (header.length > LIMITS.columns) report(['source', 'header'], `must not name more than ${LIMITS.columns} columns`);
  const missing = Object.keys(source.columns).filter((name) => !header.includes(name));
  if (missing.length > 0)
    report(['source', 'header'], `must name every declared column: ${missing.join(', ')} is missing`);
  if (new Set(header).size !== header.length) report(['source', 'header'], 'names a column twice');
}

function checkColumns(doc: PipelineDocument, report: Report): void {
  const names = Object.keys(doc.source.columns);
  if (names.length === 0 || names.length > LIMITS.columns) {
    report(['source', 'columns'], `must name 1 to ${LIMITS.columns} columns, it names ${names.length}`);
  }
  for (const [name, column] of Object.entries(doc.source.columns)) {
    const path = ['source', 'columns', name];
    // `_upload`, `_row` and `_time` are ours; no control character, so that a name fits a header line and a message.
    if (name.startsWith('_')) report(path, 'column names may not begin with "_"');
    // oxlint-disable-next-line no-control-regex
    if (name === '' || name.length > 255 || /[\u0000-\u001f\u007f]/.test(name)) {
      report(path, 'column names have 1 to 255 characters, none of them a control character');
    }
    checkColumn(name, column, doc.source.nulls, path, report);
  }
}

/** Columns that key, group or order rows must exist, and be required: a row without them has no place. */
function checkNamed(doc: PipelineDocument, names: readonly string[], path: Path, report: Report): void {
  for (const name of names) {
    const column = Object.hasOwn(doc.source.columns, name) ? doc.source.columns[name] : undefined;
    if (!column) report(path, noColumn(doc, name));
    else if (!column.required) report(path, `column "${name}" must be "required: true" to be used here`);
  }
  if (new Set(names).size !== names.length) report(path, 'names a column twice');
}

function noColumn({ source }: PipelineDocument, name: string): string {
  const declared = Object.keys(source.columns);
  return `no column "${name}"${didYouMean(name, declared)}; declared are ${declared.join(', ')}`;
}

type ViewDocument = PipelineDocument['views'][string];

function checkView(
  doc: PipelineDocument,
  name: string,
  view: ViewDocument,
  templates: Map<string, string>,
  report: Report,
): void {
  const path = ['views', name];
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name)) {
    report(path, 'view names begin with a letter and hold only letters, digits, _ and -, at most 63 characters');
  }
  checkNamed(doc, view.group_by, [...path, 'group_by'], report);
  checkWindow(view, [...path, 'window'], report);
  for (const [featureName, feature] of Object.entries(view.features)) {
    checkFeature(doc, featureName, toFeature(featureName, feature), [...path, 'features', featureName], report);
  }
  checkEntrySize(view, [...path, 'features'], report);
  for (const problem of templateProblems(view.redis.key, view.group_by, view.window.type)) {
    report([...path, 'redis', 'key'], problem);
  }
  const template = view.redis.key.replaceAll('{view}', name).replaceAll('{pipeline}', doc.name);
  const other = templates.get(template);
  if (other !== undefined) report([...path, 'redis', 'key'], `view "${other}" writes to the same keys (${template})`);
  templates.set(template, name);
}

/** What is kept of one group and window is one record: its features together must be sure to fit. */
function checkEntrySize(view: ViewDocument, path: Path, report: Report): void {
  const features = Object.entries(view.features).map(([name, feature]) => toFeature(name, feature));
  const total = largestEntryBytes(features);
  if (total <= ENTRY_BYTES) return;
  const sizes = features.map(({ aggregate }) => ({ aggregate, bytes: ACCUMULATOR_BYTES[aggregate] }));
  const largest = sizes.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  report(
    path,
    `may take ${total} bytes for one group, at most ${ENTRY_BYTES} are allowed: give some of them to a second view ` +
      `of the same group_by (${largest.aggregate} takes up to ${largest.bytes})`,
  );
}

const DAY_MS = 86_400_000;
/** A row of a hopping window writes two records a window it falls into, all in one transaction. */
const WINDOWS_PER_ROW = 1_000;

function checkWindow({ window, emit }: ViewDocument, path: Path, report: Report): void {
  if (window.type === 'upload' || window.type === 'all_time') {
    if (emit !== undefined)
      report([...path.slice(0, -1), 'emit'], `"emit" is for windows of time, not for ${window.type}`);
    return;
  }
  if (emit !== undefined && window.emit !== undefined && emit !== window.emit) {
    report([...path, 'emit'], `says ${window.emit}, and the view says ${emit}: say it once`);
  }
  if (window.type === 'session') return;
  const lengths = window.type === 'hopping' ? (['size', 'advance'] as const) : (['size'] as const);
  const length = (name: (typeof lengths)[number]) => (window as { size: number; advance: number })[name];
  if (window.time_zone !== undefined) {
    for (const name of lengths) {
      if (length(name) % DAY_MS !== 0)
        report([...path, name], 'must be whole days (such as 1d) where a time_zone is set');
    }
  }
  if (window.type !== 'hopping') return;
  if (window.advance > window.size)
    report([...path, 'advance'], 'must not be longer than size: rows between windows would be lost');
  else if (Math.ceil(window.size / window.advance) > WINDOWS_PER_ROW) {
    report([...path, 'advance'], `a row may fall into at most ${WINDOWS_PER_ROW} windows: size / advance is more`);
  }
}

function checkFeature(doc: PipelineDocument, name: string, feature: FeatureSpec, path: Path, report: Report): void {
  if (!/^[\p{L}][\p{L}\p{N}_.-]{0,127}$/u.test(name)) {
    report(path, 'feature names begin with a letter and hold only letters, digits, _, . and -, at most 128 characters');
  }
  const { column: columnName, aggregate } = feature;
  if (columnName === '*') {
    if (aggregate !== 'count') report(path, `"*" is allowed for count only, not for ${aggregate}`);
    return;
  }
  const column = Object.hasOwn(doc.source.columns, columnName) ? doc.source.columns[columnName] : undefined;
  if (!column) {
    report(path, noColumn(doc, columnName));
  } else if (NUMERIC_AGGREGATES.has(aggregate) && column.type !== 'integer' && column.type !== 'decimal') {
    report(path, `${aggregate} needs an integer or decimal column, "${columnName}" is ${column.type}`);
  }
}
