// `reference: { file }`: a file of the data folder, read as the run's own file is, by the same gate for the same checks.
import { rm, stat } from 'node:fs/promises';
import { encodeEvidence } from '#checks';
import { LIMITS, type Pipeline, type StoredRun } from '#contracts';
import { openSourceFile, pathBelow, type SourceFile } from '../files/source-file.js';
import { Problem } from '../problem.js';
import type { BodyLimits } from '../uploads/body.js';
import { gate } from '../uploads/gate.js';
import { inspectViews } from './inspect-views.js';
import type { FoundReference } from './references.js';

interface ReferenceFilesOptions {
  /** The data folder's `files/`. */
  folder: string;
  limits: BodyLimits;
  /** Where the run's typed file is: this one's goes beside it, and goes again. */
  typedPath: (run: string) => string;
  maxRows: number;
  stop: AbortSignal;
}

const KEPT = 8;

/** A function that reads such a file. The same unchanged file is not read again for the same checks and day. */
export function referenceFiles({ folder, limits, typedPath, maxRows, stop }: ReferenceFilesOptions) {
  const kept = new Map<string, FoundReference>();
  return async (file: string, pipeline: Pipeline, run: StoredRun): Promise<FoundReference> => {
    try {
      const { size, mtimeMs } = await stat(await pathBelow(folder, file));
      const key = JSON.stringify([file, size, mtimeMs, run.internal.run_date, pipeline.text]);
      const known = kept.get(key);
      if (known) return known;
      const source = await openSourceFile(folder, file, limits, stop);
      const reference = await read({
        source,
        pipeline,
        run,
        typedPath: `${typedPath(run.id)}-reference`,
        maxRows,
        stop,
      });
      kept.set(key, reference);
      if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
      return reference;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return { missing: `the file "${file}" below the data folder's files/ is no reference: ${error.detail}` };
    }
  };
}

interface ReadArgs {
  source: SourceFile;
  pipeline: Pipeline;
  run: StoredRun;
  typedPath: string;
  maxRows: number;
  stop: AbortSignal;
}

async function read({ source, pipeline, run, typedPath, maxRows, stop }: ReadArgs): Promise<FoundReference> {
  try {
    const result = await gate({
      pipeline,
      run: run.id,
      createdAtMs: Date.parse(run.created_at),
      partitions: 1,
      source: chunksOf(source),
      dialect: null,
      maxRows,
      typedPath,
      runDate: run.internal.run_date,
      stop,
    });
    if (result.refused) return { missing: `the file "${source.fileName}" is no reference: ${result.refused.message}` };
    const { inspections, tooMany } = await inspectViews(pipeline, run.internal.run_date, typedPath);
    if (tooMany) return { missing: `the file "${source.fileName}" is no reference: ${tooMany}` };
    return { evidence: encodeEvidence([result.inspection, ...inspections], LIMITS.runPartBytes) };
  } finally {
    await rm(typedPath, { force: true });
  }
}

async function* chunksOf(source: SourceFile): AsyncGenerator<Buffer> {
  try {
    yield* source.bytes;
  } finally {
    await source.close();
  }
}
