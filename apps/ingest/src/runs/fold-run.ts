// Pure: (run, event) -> run. Every change of a run is one of these events; nothing else touches its fields.
import {
  ENDED_STATES,
  STEP_NAMES,
  type Again,
  type CheckResult,
  type LateCounts,
  type Dialect,
  type Report,
  type Run,
  type RunError,
  type RunSource,
  type RunState,
  type Step,
  type StepName,
  type StoredRun,
  type TopicRange,
} from '#contracts';

/** `at` is epoch ms, recorded once by whoever made the event. */
export type RunEvent =
  | { type: 'step_started'; step: StepName; at: number }
  | { type: 'step_retried'; step: StepName; message: string }
  | { type: 'step_done'; step: StepName; at: number; message?: string }
  | { type: 'received'; sha256: string; bytes: number; at: number }
  | {
      type: 'checked';
      rows: { read: number; accepted: number; rejected: number };
      checks: CheckResult[];
      dialect: Dialect | null;
      /** What the checks looked at, in `run-parts`. */
      evidence: TopicRange | null;
      at: number;
    }
  | { type: 'queued'; order: number }
  | { type: 'publishing'; sequence: number; at: number }
  | { type: 'progress'; published: number; deadLetters: TopicRange | null }
  | {
      type: 'published';
      published: number;
      expects: Record<string, number>;
      deadLetters: TopicRange | null;
      at: number;
    }
  | { type: 'reports'; reports: readonly Report[]; at: number }
  | { type: 'interrupted'; at: number }
  | { type: 'resumed'; at: number }
  | { type: 'dead_letters'; range: TopicRange | null }
  | { type: 'rehearsing'; at: number }
  | { type: 'rehearsed'; parts: TopicRange; late: LateCounts; at: number }
  | { type: 'ended'; state: 'rejected' | 'failed' | 'cancelled'; error: RunError; at: number }
  | { type: 'again'; again: Again }
  /** An interrupted run is given up. */
  | { type: 'abandoning' }
  /** An ended run that published nothing begins anew from its spool, by the pipeline file of now. */
  | { type: 'retried'; pipelineText: string; forced: string | null; at: number }
  | { type: 'notified'; delivered: boolean; attempts: number; message: string | null; at: number };

/** What may still happen to a run that has ended. */
const AFTER_THE_END: ReadonlySet<RunEvent['type']> = new Set(['dead_letters', 'notified', 'retried']);

const iso = (ms: number): string => new Date(ms).toISOString();

/** A run as it is recorded at the first byte of its body. */
export function newRun(args: {
  id: string;
  pipeline: string;
  pipelineText: string;
  fileName: string | null;
  saveToDb: boolean;
  createdAtMs: number;
  /** Default: `http`. */
  source?: RunSource;
  /** Default: the day of `createdAtMs` in UTC. */
  runDate?: string;
  /** The states of which a notice is owed. */
  notifyOn?: readonly RunState[];
}): StoredRun {
  const steps = STEP_NAMES.map((name): Step => ({
    name,
    state: 'pending',
    started_at: null,
    ended_at: null,
    attempt: 0,
    message: null,
  }));
  return {
    id: args.id,
    pipeline: args.pipeline,
    file_name: args.fileName,
    sha256: null,
    bytes: 0,
    save_to_db: args.saveToDb,
    duplicate: false,
    attempt: 1,
    state: 'received',
    steps,
    rows: { read: 0, accepted: 0, rejected: 0, published: 0, late: 0 },
    features_written: 0,
    checks: [],
    created_at: iso(args.createdAtMs),
    ended_at: null,
    error: null,
    internal: {
      pipeline_text: args.pipelineText,
      sequence: null,
      expects: {},
      dead_letters: null,
      parts: null,
      received: false,
      queued_at: null,
      source: args.source ?? 'http',
      run_date: args.runDate ?? iso(args.createdAtMs).slice(0, 10),
      ...(args.notifyOn ? { notify_on: args.notifyOn } : {}),
    },
  };
}

/** The run after `event`. An ended run does not change any more: the same object comes back. */
export function foldRun(run: StoredRun, event: RunEvent): StoredRun {
  if (ENDED_STATES.has(run.state) && !AFTER_THE_END.has(event.type)) return run;
  switch (event.type) {
    case 'step_started':
      return startStep(run, event.step, event.at);
    case 'step_retried':
      return withStep(run, event.step, (step) => ({
        ...step,
        attempt: step.attempt + 1,
        message: event.message,
      }));
    case 'step_done':
      return endStep(run, event.step, event.at, event.message);
    case 'received':
      return {
        ...endStep(run, 'receive', event.at),
        state: 'checking',
        sha256: event.sha256,
        bytes: event.bytes,
        internal: { ...run.internal, received: true },
      };
    case 'checked':
      return endStep(
        {
          ...run,
          rows: { ...run.rows, ...event.rows },
          checks: event.checks,
          internal: { ...run.internal, dialect: event.dialect, evidence: event.evidence },
        },
        'check',
        event.at,
      );
    case 'queued':
      return { ...run, state: 'queued', internal: { ...run.internal, queued_at: event.order } };
    case 'dead_letters':
      return { ...run, internal: { ...run.internal, dead_letters: event.range } };
    case 'interrupted':
      return { ...pauseSteps(run, event.at), state: 'interrupted', internal: { ...run.internal, queued_at: null } };
    case 'resumed':
      return { ...startStep(run, 'check', event.at), state: 'checking', attempt: run.attempt + 1 };
    case 'again':
      return { ...run, again: event.again };
    case 'abandoning':
      return { ...run, internal: { ...run.internal, abandoning: true } };
    case 'retried':
      return beginAnew(run, event);
    case 'notified': {
      const { delivered, attempts, message, at } = event;
      return { ...run, notified: { delivered, attempts, at: iso(at), message } };
    }
    default:
      return foldPublishing(run, event);
  }
}

type LaterEvent = Extract<
  RunEvent,
  { type: 'publishing' | 'progress' | 'published' | 'reports' | 'rehearsing' | 'rehearsed' | 'ended' }
>;

function foldPublishing(run: StoredRun, event: LaterEvent): StoredRun {
  switch (event.type) {
    case 'publishing':
      return {
        ...startStep(run, 'publish', event.at),
        state: 'publishing',
        internal: { ...run.internal, sequence: event.sequence },
      };
    case 'progress':
      return {
        ...run,
        rows: { ...run.rows, published: event.published },
        internal: { ...run.internal, dead_letters: event.deadLetters ?? run.internal.dead_letters },
      };
    case 'published': {
      const next = startStep(endStep(run, 'publish', event.at), 'aggregate', event.at);
      const deadLetters = event.deadLetters ?? run.internal.dead_letters;
      return {
        ...next,
        state: 'aggregating',
        rows: { ...run.rows, published: event.published },
        internal: { ...run.internal, expects: event.expects, dead_letters: deadLetters },
      };
    }
    case 'reports':
      return foldReports(run, event.reports, event.at);
    case 'rehearsing':
      return { ...startStep(skipStep(run, 'publish'), 'aggregate', event.at), state: 'aggregating' };
    case 'rehearsed': {
      const next = skipStep(endStep(run, 'aggregate', event.at), 'write');
      const counted = { ...next, rows: { ...run.rows, ...shownLate(event.late) } };
      return end({ ...counted, internal: { ...next.internal, parts: event.parts } }, 'completed', event.at, null);
    }
    case 'ended': {
      const steps = event.state === 'rejected' ? refuseCheck(run, event.error.message) : run;
      return end(failSteps(steps, event.at, event.error.message), event.state, event.at, event.error);
    }
  }
}

/** Its body is kept, so `receive` stays done; all behind it begins again, and the attempts go on counting. */
function beginAnew(run: StoredRun, event: Extract<RunEvent, { type: 'retried' }>): StoredRun {
  const steps = run.steps.map((step): Step => {
    if (step.name === 'receive') return step;
    return { ...step, state: 'pending', started_at: null, ended_at: null, message: null };
  });
  const { notified: _told, ...rest } = run;
  const forced = event.forced === null ? {} : { forced: { reason: event.forced, at: iso(event.at) } };
  const anew: StoredRun = {
    ...rest,
    ...forced,
    steps,
    state: 'checking',
    attempt: run.attempt + 1,
    rows: { read: 0, accepted: 0, rejected: 0, published: 0, late: 0 },
    checks: [],
    ended_at: null,
    error: null,
    internal: { ...run.internal, pipeline_text: event.pipelineText, parts: null, dialect: null, evidence: null },
  };
  return startStep(anew, 'check', event.at);
}

/** All reports known so far; the run has ended when every expected one is there. */
function foldReports(run: StoredRun, reports: readonly Report[], at: number): StoredRun {
  const due = Object.values(run.internal.expects).reduce((sum, partitions) => sum + partitions, 0);
  const sum = (pick: (report: Report) => number) => reports.reduce((total, report) => total + pick(report), 0);
  const counted: StoredRun = {
    ...run,
    rows: { ...run.rows, ...shownLate(lateOf(reports)) },
    features_written: sum((report) => report.written),
  };
  const writing = reports.length > 0 ? startStep({ ...counted, state: 'writing' }, 'write', at) : counted;
  if (due === 0 || reports.length < due) return writing;
  const aggregatedAt = Math.max(...reports.map((report) => report.aggregated_at));
  const aggregated = endStep(writing, 'aggregate', aggregatedAt > 0 ? aggregatedAt : at);
  const failed = sum((report) => report.failed);
  if (failed === 0) return end(endStep(aggregated, 'write', at), 'completed', at, null);
  const error: RunError = {
    code: 'redis_wrong_type',
    message:
      `${failed} feature records could not be written: their keys hold another type or belong to another view. ` +
      'Move those keys away, then send the corrected file.',
    retriable: false,
    keys: reports.flatMap((report) => report.failed_keys).slice(0, 100),
  };
  return end(failSteps(aggregated, at, error.message), 'failed', at, error);
}

function lateOf(reports: readonly LateCounts[]): LateCounts {
  const counts: LateCounts = { late: 0, late_by_view: {} };
  for (const { late, late_by_view: byView } of reports) {
    counts.late += late;
    for (const [view, rows] of Object.entries(byView)) {
      counts.late_by_view[view] = (counts.late_by_view[view] ?? 0) + rows;
    }
  }
  return counts;
}

function shownLate({ late, late_by_view }: LateCounts): Pick<Run['rows'], 'late' | 'late_by_view'> {
  return late === 0 ? { late } : { late, late_by_view };
}

function withStep(run: StoredRun, name: StepName, change: (step: Step) => Step): StoredRun {
  return { ...run, steps: run.steps.map((step) => (step.name === name ? change(step) : step)) };
}

function startStep(run: StoredRun, name: StepName, at: number): StoredRun {
  return withStep(run, name, (step) =>
    step.state === 'running'
      ? step
      : {
          ...step,
          state: 'running',
          started_at: step.started_at ?? iso(at),
          ended_at: null,
          attempt: step.attempt + 1,
        },
  );
}

function endStep(run: StoredRun, name: StepName, at: number, message?: string): StoredRun {
  return withStep(run, name, (step) => ({
    ...step,
    state: 'done',
    started_at: step.started_at ?? iso(at),
    ended_at: iso(at),
    message: message ?? step.message,
  }));
}

function skipStep(run: StoredRun, name: StepName): StoredRun {
  return withStep(run, name, (step) => ({ ...step, state: 'skipped' }));
}

/** The check itself went through; what it found ends the run. */
function refuseCheck(run: StoredRun, message: string): StoredRun {
  return withStep(run, 'check', (step) => ({ ...step, state: 'failed', message }));
}

/** What was running waits for the same bytes. */
function pauseSteps(run: StoredRun, at: number): StoredRun {
  const steps = run.steps.map((step): Step => {
    if (step.state !== 'running') return step;
    return { ...step, state: 'failed', ended_at: iso(at), message: 'the spool is gone: send the same file again' };
  });
  return { ...run, steps };
}

/** What was running has failed; what had not begun never will. */
function failSteps(run: StoredRun, at: number, message: string): StoredRun {
  const steps = run.steps.map((step): Step => {
    if (step.state === 'running') return { ...step, state: 'failed', ended_at: iso(at), message };
    return step.state === 'pending' ? { ...step, state: 'skipped' } : step;
  });
  return { ...run, steps };
}

function end(run: StoredRun, state: RunState, at: number, error: RunError | null): StoredRun {
  const internal = { ...run.internal, pipeline_text: null, queued_at: null };
  return { ...run, state, ended_at: iso(at), error, internal };
}
