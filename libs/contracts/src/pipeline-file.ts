// `pipelines/NAME.yaml` -> Pipeline. Everything that is wrong is told at once, each with file, line and what is allowed.
import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { didYouMean } from './did-you-mean.js';
import { checkAcrossKeys, type Path, type Report } from './pipeline-rules.js';
import type { Pipeline } from './pipeline.js';
import { pipelineSchema } from './pipeline-schema.js';
import { describeIssue, listed } from './schema-issue.js';
import { toPipeline } from './to-pipeline.js';

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

/** Reads one pipeline file's text. Throws {@link PipelineFileError} with every problem found. */
export function parsePipelineFile(text: string, file: string): Pipeline {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const problems: PipelineProblem[] = document.errors.map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { file, line, column: col, path: '', message: error.message.split('\n')[0]! };
  });
  if (problems.length > 0) throw new PipelineFileError(problems);
  const reportAt = (offset: number, path: Path, message: string) => {
    const { line, col } = lines.linePos(offset);
    // Two rules may say the same of one value.
    const told = problems.some((one) => one.line === line && one.column === col && one.message === message);
    if (told) return;
    problems.push({ file, line, column: col, path: path.map(String).join('.'), message });
  };
  const report: Report = (path, message) => reportAt(offsetOf(document, path), path, message);
  const reportKey: Report = (path, message) => reportAt(keyOffsetOf(document, path), path, message);
  const plain: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  const parsed = pipelineSchema.safeParse(plain, { error: describeIssue });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) reportIssue(issue, plain, report, reportKey);
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

function reportIssue(issue: Issue, document: unknown, report: Report, reportKey: Report): void {
  if (issue.code === 'unrecognized_keys') {
    const allowed = allowedKeys(pipelineSchema, issue.path, document);
    for (const key of issue.keys!) {
      reportKey([...issue.path, key], `unknown key${didYouMean(key, allowed)}; allowed here are ${allowed.join(', ')}`);
    }
  } else if (issue.code === 'invalid_value' && issue.values) {
    const given = issue.path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)?.[key], document);
    const meant = typeof given === 'string' ? didYouMean(given, issue.values.map(String)) : '';
    const missing = given === undefined ? 'is missing: ' : '';
    report(issue.path, `${missing}must be one of ${listed(issue.values)}${meant}`);
  } else {
    report(issue.path, issue.message);
  }
}

/** The keys that the schema knows at `path` of `value`: of several shapes, those of the one that the value names. */
function allowedKeys(schema: z.ZodType, path: Path, value: unknown): string[] {
  const def = schema.def as unknown as Partial<Record<'innerType' | 'valueType' | 'keyType' | 'element', z.ZodType>> & {
    options?: z.ZodType[];
    discriminator?: string;
  };
  const [key, ...rest] = path;
  const child = (value as Record<PropertyKey, unknown> | null | undefined)?.[key ?? ''];
  if (def.innerType) return allowedKeys(def.innerType, path, value);
  if (def.options) {
    const named = def.options.filter((option) => def.discriminator && isNamed(option, def.discriminator, value));
    const options = named.length > 0 ? named : def.options;
    return [...new Set(options.flatMap((option) => allowedKeys(option, path, value)))];
  }
  if (schema instanceof z.ZodObject) {
    const shape = schema.shape as Record<string, z.ZodType>;
    return key === undefined ? Object.keys(shape) : allowedKeys(shape[String(key)]!, rest, child);
  }
  if (key === undefined) return def.keyType instanceof z.ZodEnum ? def.keyType.options.map(String) : [];
  const inner = def.valueType ?? def.element;
  return inner ? allowedKeys(inner, rest, child) : [];
}

function isNamed(option: z.ZodType, discriminator: string, value: unknown): boolean {
  const shape = option instanceof z.ZodObject ? (option.shape as Record<string, z.ZodType>) : {};
  return shape[discriminator]?.safeParse((value as Record<string, unknown> | null)?.[discriminator]).success ?? false;
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

/** Where the key itself stands that ends `path`. */
function keyOffsetOf(document: Document, path: Path): number {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const pair = isMap(parent)
    ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === path.at(-1))
    : null;
  return (pair?.key as { range?: [number, number, number] } | undefined)?.range?.[0] ?? offsetOf(document, path);
}
