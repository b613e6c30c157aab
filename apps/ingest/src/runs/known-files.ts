// Which bytes are known: `<pipeline>/file/<sha256>` names the run that has them, for good, also when retention has
// deleted the run itself.
import { knownFileKey, STEP_NAMES, type KeptFile, type KnownFile, type StoredRun } from '#contracts';
import { newRun } from './fold-run.js';

export class KnownFiles {
  private readonly files = new Map<string, KnownFile>();

  /** `write` makes a mark (or its going) durable. */
  constructor(private readonly write: (key: string, value: string | null) => void) {}

  /** Takes a record of `caudal.runs`. */
  load(key: string, value: Buffer | null): void {
    if (value === null) this.files.delete(key);
    else this.files.set(key, JSON.parse(value.toString()) as KnownFile);
  }

  find(pipeline: string, sha256: string): KnownFile | undefined {
    return this.files.get(knownFileKey(pipeline, sha256));
  }

  remember(run: StoredRun): void {
    this.mark(run, { run: run.id });
  }

  /** Takes the mark away when this run set it. */
  forget(run: StoredRun): void {
    if (run.sha256 === null || this.find(run.pipeline, run.sha256)?.run !== run.id) return;
    const key = knownFileKey(run.pipeline, run.sha256);
    this.files.delete(key);
    this.write(key, null);
  }

  /** The run is about to be deleted: the mark keeps what its file is still answered with. */
  keepAfter(run: StoredRun): void {
    if (run.sha256 === null || this.find(run.pipeline, run.sha256)?.run !== run.id) return;
    const { state, bytes, rows, features_written, attempt, created_at, ended_at } = run;
    const error = run.error && { code: run.error.code, message: run.error.message, retriable: run.error.retriable };
    const kept: KeptFile = { state, bytes, rows, features_written, attempt, created_at, ended_at, error };
    this.mark(run, { run: run.id, kept });
  }

  private mark(run: StoredRun, mark: KnownFile): void {
    const key = knownFileKey(run.pipeline, run.sha256!);
    this.files.set(key, mark);
    this.write(key, JSON.stringify(mark));
  }
}

/** The run of a file whose record is gone, as far as it is still known: its steps have no times. */
export function runFromMark(pipeline: string, sha256: string, run: string, kept: KeptFile): StoredRun {
  const createdAtMs = Date.parse(kept.created_at);
  const fresh = newRun({ id: run, pipeline, pipelineText: '', fileName: null, saveToDb: true, createdAtMs });
  const steps = STEP_NAMES.map((name, i) => ({ ...fresh.steps[i]!, name, state: 'done' as const, attempt: 1 }));
  return { ...fresh, ...kept, sha256, steps, internal: { ...fresh.internal, pipeline_text: null } };
}
