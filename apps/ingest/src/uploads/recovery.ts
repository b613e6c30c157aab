// After a restart: every run that has not ended goes on by itself, from what the spool and Kafka hold, in the order in
// which the line stood. New files are received meanwhile and queue behind.
import { parsePipelineFile, type Pipeline, type StoredRun } from '#contracts';
import type { RunStore } from '../runs/run-store.js';
import type { Examiner } from './examiner.js';
import type { Spool, SpooledBody } from './spool.js';
import type { SpoolKeeper } from './spool-keeper.js';
import type { UploadQueue } from './upload-queue.js';

export interface RecoveryOptions {
  store: RunStore;
  spool: Spool;
  queues: ReadonlyMap<string, UploadQueue>;
  pipelines: ReadonlyMap<string, Pipeline>;
  examiner: Examiner;
  keeper: SpoolKeeper;
  now: () => number;
  stop: AbortSignal;
  log: { warn(fields: object, message: string): void };
}

export class Recovery {
  /** Resolves when all that stood in a line stand there again. */
  done: Promise<void> = Promise.resolve();

  constructor(private readonly options: RecoveryOptions) {}

  /** Begins; {@link done} rejects only where the process cannot go on. */
  start(): Promise<void> {
    this.done = this.recoverAll();
    return this.done;
  }

  /** Checks a whole body once more and takes it to its place, not before `turn`. */
  async goOn(run: StoredRun, body: SpooledBody, turn: Promise<void>): Promise<void> {
    const { store, examiner, log } = this.options;
    store.show(run.id);
    let pipeline: Pipeline;
    try {
      pipeline = parsePipelineFile(run.internal.pipeline_text!, `${run.pipeline}.yaml`);
    } catch (error) {
      log.warn({ err: error, run: run.id }, 'the pipeline file that the run began with cannot be read by this version');
      const message = 'the pipeline file that the run began with cannot be read by this version: send the file again';
      return examiner.fail(run.id, { code: 'pipeline_changed', message, retriable: false });
    }
    // Whoever stood in the line has passed the Redis check; a half-published file must not fail for want of Redis.
    const examination = examiner.begin(run, pipeline, body, { askRedis: !this.stoodInLine(run) });
    await examiner.conclude(run.id, pipeline, examination, turn);
  }

  private async recoverAll(): Promise<void> {
    const { store, pipelines, log, stop, examiner, keeper } = this.options;
    const runs = store.unfinished();
    runs.sort((a, b) => (a.internal.queued_at ?? Infinity) - (b.internal.queued_at ?? Infinity));
    for (const run of runs) examiner.continueLine(run.internal.queued_at ?? 0);
    await keeper.sweep();
    const here = runs.filter((run) => pipelines.has(run.pipeline));
    for (const { id: run, pipeline } of runs.filter((one) => !here.includes(one))) {
      log.warn({ run, pipeline }, 'the pipeline of an unfinished run is not here: it waits');
    }
    const waiting = here.filter((run) => !this.stoodInLine(run));
    for (const run of here) {
      if (stop.aborted) return;
      if (!waiting.includes(run)) await this.recover(run);
    }
    // These were promised no place yet, and may have to wait for Redis: nobody behind them waits, too.
    for (const run of waiting) {
      this.recover(run).catch((error: unknown) => log.warn({ err: error, run: run.id }, 'the run could not go on'));
    }
  }

  private stoodInLine(run: StoredRun): boolean {
    const { queues } = this.options;
    return run.internal.queued_at !== null || queues.get(run.pipeline)!.progressOf(run.id) !== undefined;
  }

  private async recover(run: StoredRun): Promise<void> {
    const { store, spool, queues, now, examiner } = this.options;
    const queue = queues.get(run.pipeline)!;
    const progress = queue.progressOf(run.id);
    const isPublished = run.save_to_db && (run.state === 'aggregating' || run.state === 'writing');
    if (isPublished) {
      await spool.remove(run.id);
      return store.foldReports(run.id);
    }
    if (progress?.ended || run.internal.abandoning) {
      queue.add(run.id);
      return;
    }
    const body = run.internal.received ? await spool.existing(run.id) : null;
    if (body?.bytes === run.bytes) {
      await store.apply(run.id, { type: 'resumed', at: now() });
      return this.goOn(store.get(run.id)!, body, Promise.resolve());
    }
    if (run.state === 'interrupted') return;
    store.show(run.id);
    // Fails what has published nothing, interrupts what has.
    const code = run.internal.received ? 'body_gone' : 'body_incomplete';
    const message = 'ingest was restarted before the file was safe: send it again';
    await examiner.fail(run.id, { code, message, retriable: true });
  }
}
