// All pipeline files of `CAUDAL_PIPELINES_DIR`, read once at start by each service.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pipeline } from './pipeline.js';
import { parsePipelineFile, PipelineFileError, type PipelineProblem } from './pipeline-file.js';

/** Reads every `*.yaml` and `*.yml`. Throws {@link PipelineFileError} with the problems of all files. */
export function readPipelines(dir: string): Map<string, Pipeline> {
  const problems: PipelineProblem[] = [];
  const pipelines = new Map<string, Pipeline>();
  const templates = new Map<string, string>();
  const files = readdirSync(dir)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort();
  const problem = (file: string, path: string, message: string) =>
    problems.push({ file, line: 1, column: 1, path, message });
  for (const name of files) {
    const file = join(dir, name);
    try {
      const pipeline = parsePipelineFile(readFileSync(file, 'utf8'), file);
      if (name.replace(/\.ya?ml$/, '') !== pipeline.name) {
        problem(file, 'name', `must be the file's own name: rename the file to ${pipeline.name}.yaml`);
      }
      checkTemplates(pipeline, templates, (path, message) => problem(file, path, message));
      pipelines.set(pipeline.name, pipeline);
    } catch (error) {
      if (!(error instanceof PipelineFileError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (files.length === 0) problem(dir, '', 'holds no pipeline file (*.yaml)');
  if (problems.length > 0) throw new PipelineFileError(problems);
  return pipelines;
}

/** Two pipelines may share a Redis, but not its keys. */
function checkTemplates(pipeline: Pipeline, seen: Map<string, string>, report: (path: string, m: string) => void) {
  for (const view of pipeline.views) {
    const template = view.redis.key.replaceAll('{view}', view.name).replaceAll('{pipeline}', pipeline.name);
    const other = seen.get(template);
    if (other !== undefined) report(`views.${view.name}.redis.key`, `${other} writes to the same keys (${template})`);
    seen.set(template, `pipeline "${pipeline.name}", view "${view.name}"`);
  }
}
