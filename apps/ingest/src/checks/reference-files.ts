// `reference: { file }`: a file of the data folder, read as the run's own file is, by the same gate for the same checks.
import { createReadStream } from 'node:fs';
import { realpath, rm, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { encodeEvidence } from '#checks';
import { LIMITS, type Pipeline, type StoredRun } from '#contracts';
import { gate } from '../uploads/gate.js';
import { inspectViews } from './inspect-views.js';
import type { FoundReference } from './references.js';

interface ReferenceFilesOptions {
  dataDir: string;
  /** Where the run's typed file is: this one's goes beside it, and goes again. */
  typedPath: (run: string) => string;
  maxRows: number;
  stop: AbortSignal;
}

const KEPT = 8;

/** A function that reads such a file. The same unchanged file is not read again for the same checks and day. */
export function referenceFiles({ dataDir, typedPath, maxRows, stop }: ReferenceFilesOptions) {
  const kept = new Map<string, FoundReference>();
  return async (file: string, pipeline: Pipeline, run: StoredRun): Promise<FoundReference> => {
    const path = await pathBelow(join(dataDir, 'files'), file);
    const found = path === null ? null : await stat(path).catch(() => null);
    if (!path || !found?.isFile()) return { missing: `there is no file "${file}" below the data folder's files/` };
    const key = JSON.stringify([path, found.size, found.mtimeMs, run.internal.run_date, pipeline.text]);
    const known = kept.get(key);
    if (known) return known;
    const reference = await read({
      path,
      file,
      pipeline,
      run,
      typedPath: `${typedPath(run.id)}-reference`,
      maxRows,
      stop,
    });
    kept.set(key, reference);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
    return reference;
  };
}

interface ReadArgs {
  path: string;
  file: string;
  pipeline: Pipeline;
  run: StoredRun;
  typedPath: string;
  maxRows: number;
  stop: AbortSignal;
}

async function read({ path, file, pipeline, run, typedPath, maxRows, stop }: ReadArgs): Promise<FoundReference> {
  try {
    const result = await gate({
      pipeline,
      run: run.id,
      createdAtMs: Date.parse(run.created_at),
      partitions: 1,
      source: chunksOf(path),
      dialect: null,
      maxRows,
      typedPath,
      runDate: run.internal.run_date,
      stop,
    });
    if (result.refused) return { missing: `the file "${file}" is no reference: ${result.refused.message}` };
    const { inspections, tooMany } = await inspectViews(pipeline, run.internal.run_date, typedPath);
    if (tooMany) return { missing: `the file "${file}" is no reference: ${tooMany}` };
    return { evidence: encodeEvidence([result.inspection, ...inspections], LIMITS.runPartBytes) };
  } finally {
    await rm(typedPath, { force: true });
  }
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { highWaterMark: 256 * 1024 });
}

/** The real path of `name`; null when it is missing or, links followed, not below `folder`. */
async function pathBelow(folder: string, name: string): Promise<string | null> {
  const [root, path] = await Promise.all([realpath(folder), realpath(resolve(folder, name))]).catch(() => [null, null]);
  return root !== null && path?.startsWith(root + sep) ? path : null;
}
