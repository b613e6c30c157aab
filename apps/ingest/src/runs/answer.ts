// What a run is to the outside: its JSON without what ingest keeps for itself, and the status that its state means.
import type { Run, StoredRun } from '#contracts';
import { shownProfile, type EvidenceJson } from '#checks';
import { Problem } from '../problem.js';
import type { RunParts } from './run-parts.js';

export function publicRun(run: StoredRun): Run {
  const { internal: _internal, ...shown } = run;
  return shown;
}

/** The run with what is kept apart from it: a rehearsal's `result` and `diff`. Throws a KafkaError. */
export async function shownRun(run: StoredRun, parts: RunParts): Promise<object> {
  const range = run.internal.parts;
  return { ...publicRun(run), ...(range && (await parts.read(run.id, range))) };
}

/** The single run: also with the profile of its file; null when there is none, or retention has deleted it. */
export async function shownRunWithProfile(run: StoredRun, parts: RunParts): Promise<object> {
  const range = run.internal.evidence;
  const evidence = range ? ((await parts.read(run.id, range)) as EvidenceJson | null) : null;
  return { ...(await shownRun(run, parts)), profile: evidence && shownProfile(evidence) };
}

/**
 * The status of an upload's answer. Throws a {@link Problem} for a run that ended badly: `rejected` 422 (also without
 * `wait`), `failed` 503 when retriable else 500 (413 for a rehearsal with too many groups), `cancelled` 409. Bytes that
 * are known for good answer their run with 200 however it ended: sending them again changes nothing.
 */
export function answerOf(
  run: StoredRun,
  how: { duplicate: boolean; waited: boolean },
): { status: number; headers: Record<string, string> } {
  if (how.duplicate && run.rows.published > 0) return { status: 200, headers: { location: locationOf(run) } };
  if (run.state === 'rejected') throw problemOf(run, 422);
  // Known before the answer, and like a disk that was full while the body came.
  if (run.error?.code === 'disk_full') throw problemOf(run, 503);
  if (how.waited && run.state === 'cancelled') throw problemOf(run, 409);
  if (how.waited && run.state === 'failed') {
    if (run.error?.code === 'too_many_groups') throw problemOf(run, 413);
    throw problemOf(run, run.error?.retriable ? 503 : 500);
  }
  const done = run.state === 'completed' && how.waited;
  return { status: done || how.duplicate ? 200 : 202, headers: { location: locationOf(run) } };
}

const locationOf = (run: StoredRun): string => `/v1/runs/${run.id}`;

function problemOf(run: StoredRun, status: number): Problem {
  const failed = run.checks.filter((check) => check.verdict === 'fail' && check.severity === 'error');
  const members = {
    run: run.id,
    ...(failed.length > 0 ? { failed_checks: failed.map((check) => check.name), checks: run.checks } : {}),
    ...(run.error?.keys ? { keys: run.error.keys } : {}),
  };
  const headers: Record<string, string> = { location: locationOf(run) };
  if (status === 503) headers['retry-after'] = '30';
  return new Problem(
    status,
    run.error?.code ?? run.state,
    run.error?.message ?? `the run is ${run.state}`,
    members,
    headers,
  );
}
