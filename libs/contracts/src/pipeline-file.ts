// `pipelines/NAME.yaml` -> Pipeline. Everything that is wrong is told at once, each with file, line and what is allowed.
import { LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { LIMITS } from './limits.js';
import type { AggregateName, Column, FeatureSpec, Pipeline, View } from './pipeline.js';
import { pipelineSchema, type PipelineDocument } from './pipeline-schema.js';
import { sameColumns, templateProblems } from './redis-key-template.js';

export interface PipelineProblem {
  file: string;
  line: number;
  column: number;
  /** The key's path, e.g. `views.por_cidade.group_by`. */
  path: string;
  message: string;
}

export class PipelineFileError extends Error {
  readonly code = 'invalid_pipeline_file';
  readonly retriable = false;
  constructor(readonly problems: readonly PipelineProblem[]) {
    super(
      problems
        .map((p) => `${p.file}:${p.line}:${p.column}: ${p.path === '' ? '' : `${p.path}: `}${p.message}`)
        .join('\n'),
    );
    this.name = 'PipelineFileError';
  }
}

type Path = readonly PropertyKey[];
type Report = (path: Path, message: string) => void;

/** Reads one pipeline file's text. Throws {@link PipelineFileError} with every problem found. */
export function parsePipelineFile(text: string, file: string): Pipeline {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const problems: PipelineProblem[] = document.errors.map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { file, line, column: col, path: '', message: error.message.split('\n')[0]! };
  });
  if (problems.length > 0) throw new PipelineFileError(problems);
  const report: Report = (path, message) => {
    const { line, col } = lines.linePos(offsetOf(document, path));
    problems.push({ file, line, column: col, path: path.map(String).join('.'), message });
  };
  const parsed = pipelineSchema.safeParse(document.toJS({ maxAliasCount: 100 }) ?? {});
  if (!parsed.success) {
    for (const issue of parsed.error.issues) reportIssue(issue, report);
    throw new PipelineFileError(problems);
  }
  checkAcrossKeys(parsed.data, report);
  if (problems.length > 0) throw new PipelineFileError(problems);
  return toPipeline(parsed.data, text);
}

interface Issue {
  code: string;
  message: string;
  path: Path;
  keys?: string[];
  values?: unknown[];
}

function reportIssue(issue: Issue, report: Report): void {
  if (issue.code === 'unrecognized_keys') {
    const allowed = allowedKeys(pipelineSchema, issue.path).join(', ');
    for (const key of issue.keys!) report([...issue.path, key], `unknown key; allowed here are ${allowed}`);
  } else if (issue.code === 'invalid_value' && issue.values) {
    report(issue.path, `must be one of ${issue.values.join(', ')}`);
  } else {
    report(issue.path, issue.message);
  }
}

/** The keys that the schema knows at `path`. */
function allowedKeys(schema: z.ZodType, path: Path): string[] {
  const def = schema.def as unknown as { innerType?: z.ZodType; valueType?: z.ZodType; options?: z.ZodType[] };
  if (def.innerType) return allowedKeys(def.innerType, path);
  if (def.options) return [...new Set(def.options.flatMap((option) => allowedKeys(option, path)))];
  if (schema instanceof z.ZodObject) {
    const shape = schema.shape as Record<string, z.ZodType>;
    return path.length === 0 ? Object.keys(shape) : allowedKeys(shape[String(path[0])]!, path.slice(1));
  }
  return def.valueType ? allowedKeys(def.valueType, path.slice(1)) : [];
}

/** Where the value at `path` stands in the text; where it is missing, its nearest parent. */
function offsetOf(document: Document, path: Path): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    const range = (node as { range?: [number, number, number] } | undefined | null)?.range;
    if (range) return range[0];
  }
  return 0;
}

function checkAcrossKeys(doc: PipelineDocument, report: Report): void {
  checkColumns(doc, report);
  const firstView = Object.values(doc.views)[0]!;
  const key = doc.source.key ?? firstView.group_by;
  checkNamed(doc, key, ['source', 'key'], report);
  const { event_time: eventTime } = doc.source;
  if (eventTime !== undefined) {
    checkNamed(doc, [eventTime], ['source', 'event_time'], report);
    const column = doc.source.columns[eventTime];
    if (column && column.type !== 'timestamp') {
      report(['source', 'event_time'], `column "${eventTime}" must be of type timestamp, it is ${column.type}`);
    }
  }
  const templates = new Map<string, string>();
  for (const [name, view] of Object.entries(doc.views)) checkView(doc, name, view, key, templates, report);
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
    if (column.min !== undefined && column.type !== 'integer' && column.type !== 'decimal') {
      report([...path, 'min'], `"min" is allowed for integer and decimal columns, "${name}" is ${column.type}`);
    }
  }
}

/** Columns that key, group or order rows must exist, and be required: a row without them has no place. */
function checkNamed(doc: PipelineDocument, names: readonly string[], path: Path, report: Report): void {
  for (const name of names) {
    const column = Object.hasOwn(doc.source.columns, name) ? doc.source.columns[name] : undefined;
    if (!column) report(path, `no column "${name}"; declared are ${Object.keys(doc.source.columns).join(', ')}`);
    else if (!column.required) report(path, `column "${name}" must be "required: true" to be used here`);
  }
  if (new Set(names).size !== names.length) report(path, 'names a column twice');
}

type ViewDocument = PipelineDocument['views'][string];

function checkView(
  doc: PipelineDocument,
  name: string,
  view: ViewDocument,
  key: readonly string[],
  templates: Map<string, string>,
  report: Report,
): void {
  const path = ['views', name];
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name)) {
    report(path, 'view names begin with a letter and hold only letters, digits, _ and -, at most 63 characters');
  }
  checkNamed(doc, view.group_by, [...path, 'group_by'], report);
  if (!sameColumns(view.group_by, key)) {
    report(
      [...path, 'group_by'],
      `must be exactly the key columns (${key.join(', ')}): views grouped by other columns are not supported yet`,
    );
  }
  for (const [featureName, feature] of Object.entries(view.features)) {
    checkFeature(doc, featureName, toFeature(featureName, feature), [...path, 'features', featureName], report);
  }
  for (const problem of templateProblems(view.redis.key, view.group_by, view.window.type === 'tumbling')) {
    report([...path, 'redis', 'key'], problem);
  }
  const template = view.redis.key.replaceAll('{view}', name).replaceAll('{pipeline}', doc.name);
  const other = templates.get(template);
  if (other !== undefined) report([...path, 'redis', 'key'], `view "${other}" writes to the same keys (${template})`);
  templates.set(template, name);
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
    report(path, `no column "${columnName}"; declared are ${Object.keys(doc.source.columns).join(', ')}`);
  } else if (aggregate !== 'count' && column.type !== 'integer' && column.type !== 'decimal') {
    report(path, `${aggregate} needs an integer or decimal column, "${columnName}" is ${column.type}`);
  }
}

function toFeature(name: string, feature: Record<string, string | undefined>): FeatureSpec {
  const [aggregate, column] = Object.entries(feature)[0]!;
  return { name, aggregate: aggregate as AggregateName, column: column! };
}

function toPipeline(doc: PipelineDocument, text: string): Pipeline {
  const columns: Column[] = Object.entries(doc.source.columns).map(([name, column]) => ({
    name,
    type: column.type,
    required: column.required,
    domain: column.domain ? new Set(column.domain) : null,
    min: column.min ?? null,
  }));
  const views: View[] = Object.entries(doc.views).map(([name, view]) => ({
    name,
    groupBy: view.group_by,
    window:
      view.window.type === 'tumbling'
        ? {
            type: 'tumbling',
            sizeMs: view.window.size,
            graceMs: view.window.grace === 'unlimited' ? null : view.window.grace,
          }
        : view.window,
    features: Object.entries(view.features).map(([featureName, feature]) => toFeature(featureName, feature)),
    redis: { key: view.redis.key, ttlMs: view.redis.ttl ?? null },
  }));
  return {
    name: doc.name,
    columns,
    eventTime: doc.source.event_time ?? null,
    key: doc.source.key ?? views[0]!.groupBy,
    maxErrorFraction: doc.source.max_error_fraction,
    views,
    retention: {
      rowsMs: doc.retention.rows,
      deadLetterMs: doc.retention.dead_letter,
      runsMs: doc.retention.runs,
    },
    text,
  };
}
