// The pipeline that a command names: a file, or a name in the folder of pipeline files.
import { parsePipelineFile, PipelineFileError, type Pipeline } from '#contracts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../failure.js';
import { packageRoot } from '../package-root.js';
import { readText } from './validate.js';

/** Throws a Failure with every problem of its file. */
export async function findPipeline(name: string): Promise<Pipeline> {
  const file = /[/\\]|\.ya?ml$/.test(name) ? name : join(pipelinesFolder(), `${name}.yaml`);
  const text = await readText(file);
  try {
    return parsePipelineFile(text, file);
  } catch (error) {
    if (error instanceof PipelineFileError) throw new Failure(error.message, undefined, { problems: error.problems });
    throw error;
  }
}

/** CAUDAL_PIPELINES_DIR, else `pipelines` here, else those that came with the command. */
function pipelinesFolder(): string {
  const own = process.env.CAUDAL_PIPELINES_DIR || 'pipelines';
  return existsSync(own) || process.env.CAUDAL_PIPELINES_DIR ? own : join(packageRoot, 'pipelines');
}
