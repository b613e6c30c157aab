// Waiting for a run to end, with its progress as a moving line; and what a run looks like in words.
import { ENDED_STATES, type Run } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../api.js';
import { Failure } from '../failure.js';
import type { Terminal } from '../terminal.js';

const LOOK_MS = 300;
/** A restart of ingest, or a standby that takes over, must not end the waiting. */
const UNREACHABLE_MAX_MS = 60_000;

/** The run once it has ended, or is `interrupted` and waits for its bytes. Throws a Failure when nobody answers for a minute. */
export async function untilEnded(api: Api, terminal: Terminal, id: string): Promise<Run> {
  let run: Run | null = null;
  let since = performance.now();
  let lastAnswer = since;
  const done = terminal.progress(() => (run === null ? `run ${id}` : progressText(run, performance.now() - since)));
  try {
    for (;;) {
      try {
        const next = (await api.get(`/v1/runs/${id}`)) as unknown as Run;
        if (next.state !== run?.state) since = performance.now();
        run = next;
        lastAnswer = performance.now();
        if (hasEnded(run)) return run;
      } catch (error) {
        const passing = error instanceof Failure && isPassing(error.document as { code?: string; status?: number });
        if (!passing || performance.now() - lastAnswer > UNREACHABLE_MAX_MS) throw error;
      }
      await sleep(LOOK_MS);
    }
  } finally {
    done();
  }
}

export const hasEnded = (run: Run): boolean => ENDED_STATES.has(run.state) || run.state === 'interrupted';

function isPassing({ code, status }: { code?: string; status?: number }): boolean {
  return code === 'unreachable' || status === 503 || status === 429;
}

function progressText(run: Run, ms: number): string {
  const { rows } = run;
  const seconds = Math.max(1, Math.round(ms / 1000));
  const done = run.state === 'publishing' ? ` ${rows.published} of ${rows.accepted} rows` : '';
  return `run ${run.id}: ${run.state}${done} (${seconds} s)`;
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
