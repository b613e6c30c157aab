// Waiting for a run to end, with its progress as a moving line; and what a run looks like in words.
import { ENDED_STATES, type Run } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../api.js';
import { Failure } from '../failure.js';
import { bar, durationText, type Terminal } from '../terminal.js';

const LOOK_MS = 300;
/** A restart of ingest, or a standby that takes over, must not end the waiting. */
const UNREACHABLE_MAX_MS = 60_000;

/** The run as soon as somebody answers: a restart takes a while. Throws a Failure when nobody does for a minute. */
export async function answeredRun(api: Api, id: string): Promise<Run> {
  for (const sinceMs = performance.now(); ;) {
    try {
      return (await api.get(`/v1/runs/${encodeURIComponent(id)}`)) as unknown as Run;
    } catch (error) {
      if (!isPassing(error) || performance.now() - sinceMs > UNREACHABLE_MAX_MS) throw error;
    }
    await sleep(LOOK_MS);
  }
}

/** The run once it has ended, or is `interrupted` and waits for its bytes. Throws a Failure when nobody answers for a minute. */
export async function untilEnded(api: Api, terminal: Terminal, id: string): Promise<Run> {
  let run: Run | null = null;
  let since = { ms: performance.now(), rows: 0 };
  const done = terminal.progress(() =>
    run === null ? `run ${id}` : progressText(run, { ms: performance.now() - since.ms, rows: since.rows }),
  );
  try {
    for (;;) {
      const next = await answeredRun(api, id);
      if (next.state !== run?.state) since = { ms: performance.now(), rows: next.rows.published };
      run = next;
      if (hasEnded(run)) return run;
      await sleep(LOOK_MS);
    }
  } finally {
    done();
  }
}

export const hasEnded = (run: Run): boolean => ENDED_STATES.has(run.state) || run.state === 'interrupted';

/** Whether it may be otherwise in a moment. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Failure)) return false;
  const { code, status } = error.document as { code?: string; status?: number };
  return code === 'unreachable' || status === 503 || status === 429;
}

/** `since`: how long it has been seen in its state, and how many rows were published when it was seen first. */
export function progressText(run: Run, since: { ms: number; rows: number }): string {
  const { accepted, published } = run.rows;
  const head = `run ${run.id}: ${run.state}`;
  if (run.state !== 'publishing') return `${head} (${durationText(since.ms)})`;
  const perSecond = ((published - since.rows) * 1000) / Math.max(since.ms, 1);
  const left = perSecond === 0 ? '' : `, ${durationText(((accepted - published) / perSecond) * 1000)} left`;
  return `${head} ${bar(accepted === 0 ? 1 : published / accepted)} of ${accepted} rows, ${Math.round(perSecond)} rows/s${left}`;
}

/** One line: what became of it. */
export function outcomeText(run: Run, terminal: Terminal): string {
  const { green, red, yellow } = terminal.paint;
  const { accepted, rejected, late } = run.rows;
  const colour = run.state === 'completed' ? green : run.state === 'interrupted' ? yellow : red;
  const parts = [`${accepted} rows accepted`, `${rejected} rejected`];
  if (late > 0) parts.push(`${late} late`);
  if (run.save_to_db) parts.push(`${run.features_written} features written`);
  const why = run.error === null ? '' : `\n  ${run.error.message} (${run.error.code})`;
  return `${colour(run.state)}: ${parts.join(', ')}${run.duplicate ? '; these bytes were known already' : ''}${why}`;
}
