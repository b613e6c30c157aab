// What operators see of runs without asking: a log line when one changes its state, and how long its steps took.
import { ENDED_STATES, type Step, type StoredRun } from '#contracts';
import type { IngestMetrics } from '#runtime';

interface RunLog {
  info(fields: object, message: string): void;
}

/** A listener for {@link RunStore}. Its lines name run, pipeline and counts, never a cell. */
export function observeRuns(metrics: Pick<IngestMetrics, 'stepSeconds'>, log: RunLog) {
  return (run: StoredRun, before: StoredRun | null): void => {
    if (!before) return;
    for (const step of finishedSteps(run, before)) {
      metrics.stepSeconds.observe({ pipeline: run.pipeline, step: step.name }, secondsOf(step));
    }
    if (run.state === before.state) return;
    const fields = { run: run.id, pipeline: run.pipeline, state: run.state };
    const ended = ENDED_STATES.has(run.state) ? { rows: run.rows, code: run.error?.code } : {};
    log.info({ ...fields, ...ended }, `run is ${run.state}`);
  };
}

/** Steps that this change has ended, well or badly. */
function finishedSteps(run: StoredRun, before: StoredRun): Step[] {
  return run.steps.filter((step, i) => {
    const earlier = before.steps[i]!;
    return step.started_at !== null && step.ended_at !== null && step.ended_at !== earlier.ended_at;
  });
}

function secondsOf(step: Step): number {
  return Math.max(0, Date.parse(step.ended_at!) - Date.parse(step.started_at!)) / 1000;
}
