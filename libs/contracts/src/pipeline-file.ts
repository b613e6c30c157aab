// `pipelines/NAME.yaml` -> Pipeline. Everything that is wrong is told at once, each with file, line and what is allowed.
import { LineCounter, parseDocument, type Document } from 'yaml';
import { z } from 'zod';
import { checkAcrossKeys, type Path, type Report } from './pipeline-rules.js';
import type { Pipeline } from './pipeline.js';
import { pipelineSchema } from './pipeline-schema.js';
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
