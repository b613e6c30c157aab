// How far a run has come, as one number and a few counts: for `GET /v1/runs/{id}/events`.
import { ENDED_STATES, type StoredRun } from '#contracts';
import type { Checked } from './run-journal.js';

export interface Progress {
  state: StoredRun['state'];
  /** Bytes of the file that have been read by the step that is under way. */
  bytes: number;
  bytes_total: number;
  rows: number;
  /** Null before the file has been checked. */
  rows_total: number | null;
  rows_per_second: number | null;
  /** Of the step that is under way, 0 to 1; null when it cannot be told. */
  share: number | null;
}

/** Without the speed, which only a series of these tells. */
export function progressOf(run: StoredRun, checked: Checked): Omit<Progress, 'rows_per_second'> {
  const { rows, state } = run;
  const isChecked = run.steps.some((step) => step.name === 'check' && step.state === 'done');
  const counts = {
    state,
    bytes: isChecked ? run.bytes : checked.bytes,
    bytes_total: Math.max(run.bytes, checked.bytes),
    rows: isChecked ? rows.read : checked.rows,
    rows_total: isChecked ? rows.read : null,
  };
  if (ENDED_STATES.has(state)) return { ...counts, share: state === 'completed' ? 1 : null };
  if (state === 'checking') return { ...counts, share: shareOf(checked.bytes, run.bytes) };
  if (state === 'publishing') return { ...counts, rows: rows.published, share: shareOf(rows.published, rows.accepted) };
  return { ...counts, share: null };
}

const shareOf = (part: number, whole: number): number | null =>
  whole === 0 ? null : Math.min(1, Math.round((part / whole) * 1_000) / 1_000);
