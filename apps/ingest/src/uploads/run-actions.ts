// POST /v1/runs/{id}/cancel and /retry: what can be done to a run in each state. The table in docs/reference/http.md says
// the same; everything that is not possible is a 409 with its reason.
import { ENDED_STATES, type Pipeline, type StoredRun } from '#contracts';
import { Problem } from '../problem.js';
import type { RunStore } from '../runs/run-store.js';
import type { Examiner } from './examiner.js';
import type { Recovery } from './recovery.js';
import type { Spool } from './spool.js';
import type { UploadQueue } from './upload-queue.js';

export interface RunActionsOptions {
  store: RunStore;
  spool: Spool;
  examiner: Examiner;
  recovery: Recovery;
  queues: ReadonlyMap<string, UploadQueue>;
  pipelines: ReadonlyMap<string, Pipeline>;
  now: () => number;
}

export class RunActions {
  constructor(private readonly options: RunActionsOptions) {}

  /** Ends a run of which nothing is published; gives an interrupted one up. Throws a {@link Problem} (409) otherwise. */
  async cancel(run: StoredRun): Promise<StoredRun> {
    const { store, examiner, queues } = this.options;
    if (ENDED_STATES.has(run.state)) throw conflict(run, 'already_ended', `the run is ${run.state} already`);
    const queue = queues.get(run.pipeline);
    if (!queue) throw pipelineGone(run);
    if (run.state === 'interrupted') {
      if (!run.internal.abandoning) {
        // From now on the same bytes are a new file.
        store.forgetFile(run);
        await store.apply(run.id, { type: 'abandoning' });
        queue.add(run.id);
      }
    } else if (hasPublished(run) || queue.progressOf(run.id)) {
      throw conflict(
        run,
        'publishing_started',
        'rows of this run are in the rows topic already: it goes on to its end',
      );
    } else await examiner.cancel(run.id);
    return store.get(run.id)!;
  }

  /**
   * Begins a failed or refused run anew from the body that is kept of it. `force` takes a refused file past its checks, for
   * a reason that the run keeps. Throws a {@link Problem}: 409 with why not, 400 for force without a reason.
   */
  async retry(run: StoredRun, how: { force: boolean; reason: string | null }): Promise<StoredRun> {
    const { store, spool, examiner, recovery, pipelines, now } = this.options;
    if (how.force && how.reason === null) {
      throw new Problem(400, 'reason_needed', 'force needs a reason: it is kept with the run', { run: run.id });
    }
    this.assertRetriable(run, how.force);
    const pipeline = pipelines.get(run.pipeline);
    if (!pipeline) throw pipelineGone(run);
    const body = await spool.existing(run.id);
    if (!body || body.bytes !== run.bytes) throw bodyGone(run);
    // Somebody else may have retried it meanwhile.
    this.assertRetriable(store.get(run.id) ?? run, how.force);
    const forced = how.force ? how.reason : null;
    const retried = store.apply(run.id, { type: 'retried', pipelineText: pipeline.text, forced, at: now() });
    if (run.save_to_db && !run.again) store.rememberFile(run);
    const examination = examiner.begin(store.get(run.id)!, pipeline, body, { askRedis: true });
    // Goes on after the answer.
    void examiner.conclude(run.id, pipeline, examination, recovery.done);
    await retried;
    return store.get(run.id)!;
  }

  private assertRetriable(run: StoredRun, force: boolean): void {
    const { store } = this.options;
    const { state } = run;
    if (state === 'completed') {
      throw conflict(
        run,
        'already_completed',
        'the run is completed: to process its file once more, send it with again=true',
      );
    }
    if (state === 'interrupted' || state === 'cancelled') throw bodyGone(run);
    if (!ENDED_STATES.has(state)) throw conflict(run, 'in_progress', `the run is ${state}: it goes on by itself`);
    if (hasPublished(run)) {
      const detail =
        'all rows of this run are published: mend what its error names, then send the file with again=true';
      throw conflict(run, 'already_published', detail);
    }
    if (state === 'rejected' && !force) {
      const detail =
        'the file was refused by its checks: send a corrected one, or retry with "force": true and a "reason"';
      throw conflict(run, 'refused', detail);
    }
    const known = run.save_to_db && run.sha256 !== null ? store.knownFile(run.pipeline, run.sha256) : undefined;
    if (known && !run.again && known.id !== run.id) {
      throw conflict(run, 'file_known', `run ${known.id} has taken the same bytes meanwhile`);
    }
  }
}

function hasPublished(run: StoredRun): boolean {
  return (
    run.save_to_db &&
    (run.rows.published > 0 ||
      ['publishing', 'aggregating', 'writing'].includes(run.state) ||
      Object.keys(run.internal.expects).length > 0)
  );
}

const conflict = (run: StoredRun, code: string, detail: string): Problem =>
  new Problem(409, code, detail, { run: run.id, state: run.state });

const bodyGone = (run: StoredRun): Problem =>
  conflict(run, 'body_gone', 'the body of this run is not kept any more: send the same file again');

const pipelineGone = (run: StoredRun): Problem =>
  conflict(run, 'pipeline_gone', `there is no pipeline "${run.pipeline}" any more`);
