// A run: what is known of one file's way through Caudal. Its JSON is what the API answers and what `caudal.runs` keeps.
import type { Dialect } from './pipeline.js';

export const RUN_STATES = [
  'received',
  'checking',
  'queued',
  'publishing',
  'aggregating',
  'writing',
  'interrupted',
  'completed',
  'rejected',
  'failed',
  'cancelled',
] as const;
export type RunState = (typeof RUN_STATES)[number];
export const ENDED_STATES: ReadonlySet<RunState> = new Set(['completed', 'rejected', 'failed', 'cancelled']);

export const STEP_NAMES = ['check_redis', 'receive', 'check', 'publish', 'aggregate', 'write'] as const;
export type StepName = (typeof STEP_NAMES)[number];
export type StepState = 'pending' | 'running' | 'done' | 'failed' | 'skipped';

/** Times are ISO 8601 UTC with milliseconds. */
export interface Step {
  name: StepName;
  state: StepState;
  started_at: string | null;
  ended_at: string | null;
  attempt: number;
  message: string | null;
}

export type Verdict = 'pass' | 'fail' | 'no_reference';
export interface CheckResult {
  name: string;
  type: string;
  severity: 'error' | 'warn';
  verdict: Verdict;
  observed: string | number | null;
  expected: string | number | null;
  reason: string | null;
}

export interface RunError {
  code: string;
  message: string;
  retriable: boolean;
  /** Redis keys of another type or owner, at most 100 (code `redis_wrong_type`). */
  keys?: string[];
}

export interface Run {
  id: string;
  pipeline: string;
  file_name: string | null;
  sha256: string | null;
  bytes: number;
  save_to_db: boolean;
  /** True only in answers that return an earlier run for the same bytes. */
  duplicate: boolean;
  attempt: number;
  state: RunState;
  steps: Step[];
  rows: {
    read: number;
    accepted: number;
    rejected: number;
    published: number;
    /** Rows late in at least one view. */
    late: number;
    /** Only when there are any: late rows by view; views without any are left out. */
    late_by_view?: Record<string, number>;
  };
  /** Feature records that Redis has acknowledged for this run. */
  features_written: number;
  checks: CheckResult[];
  created_at: string;
  ended_at: string | null;
  error: RunError | null;
  /** Only of a run that `again=true` began for a file that another run has. */
  again?: Again;
  /** Only of a run that `retry` with `force` took past a check that refused it. */
  forced?: { reason: string; at: string };
  /** Only of an ended run of a pipeline with `notify`. */
  notified?: { delivered: boolean; attempts: number; at: string; message: string | null };
}

export interface Again {
  /** The run that has the same bytes. */
  of: string;
  reason: string | null;
  /** Views that accumulate: the file's rows count once more there. */
  counts_again_in: string[];
  message: string;
}

/** The way in: `file` is `POST /v1/runs`. */
export type RunSource = 'http' | 'file' | 'inbox' | 'schedule';

/** Where a run's records stand in a topic: read by seeking, never by scanning. `to` is exclusive. */
export interface TopicRange {
  partition: number;
  from: string;
  to: string;
}

/** What ingest keeps with a run beside what it shows. */
export interface StoredRun extends Run {
  internal: {
    /** The pipeline file's text when the run began; dropped when it has ended. */
    pipeline_text: string | null;
    /** How the file was found to be written, once it has been checked: read again, it is read the same. */
    dialect?: Dialect | null;
    /** Place in the pipeline's order; null before it was published. */
    sequence: number | null;
    /** Reports that are due: partitions per stage. */
    expects: Record<string, number>;
    dead_letters: TopicRange | null;
    parts: TopicRange | null;
    /** Profile and metrics of its file: what later files are compared with. */
    evidence?: TopicRange | null;
    /** Whether the whole body is on disk. */
    received: boolean;
    /** Place in the line of files that have passed their checks; null before. */
    queued_at: number | null;
    source: RunSource;
    /** `yyyy-MM-dd` in the pipeline's zone: of the scheduled time, else of `created_at`. Checks compare with it. */
    run_date: string;
    /** Cancelled while interrupted: its `cancel-upload` records are still to be written. */
    abandoning?: true;
    /** The states whose reaching is told to the pipeline's `notify`. */
    notify_on?: readonly RunState[];
  };
}

/** A known file whose run has been deleted by retention: what its sender is still answered. */
export type KeptFile = Pick<
  Run,
  'state' | 'bytes' | 'rows' | 'features_written' | 'attempt' | 'created_at' | 'ended_at' | 'error'
>;
/** Value of a known file's record; `kept` once the run itself is gone. */
export interface KnownFile {
  run: string;
  kept?: KeptFile;
}
/** Value of a schedule's record: the last time (epoch ms) that was seen to, under the settings of then. */
export interface ScheduleMark {
  at: number;
  cron: string;
  time_zone: string;
}

/** Report of a feature writer: the key is {@link reportKey}. */
export interface Report {
  upload: string;
  pipeline: string;
  stage: string;
  partition: number;
  sequence: number;
  written: number;
  superseded: number;
  failed: number;
  failed_keys: string[];
  late: number;
  late_by_view: Record<string, number>;
  /** Epoch ms of the end-of-upload record in `features`. */
  aggregated_at: number;
}

export const reportKey = (report: Pick<Report, 'upload' | 'stage' | 'partition'>): string =>
  `${report.upload}/report/${report.stage}/${report.partition}`;

export const knownFileKey = (pipeline: string, sha256: string): string => `${pipeline}/file/${sha256}`;

export const scheduleKey = (pipeline: string): string => `${pipeline}/schedule`;

export type RunsKey =
  | { kind: 'run'; run: string }
  | { kind: 'report'; run: string }
  | { kind: 'file'; pipeline: string; sha256: string }
  | { kind: 'schedule'; pipeline: string }
  | { kind: 'state'; pipeline: string };

/** What a key of `caudal.runs` names; null for a key of a later version. */
export function parseRunsKey(key: string): RunsKey | null {
  const parts = key.split('/');
  if (parts.length === 1) return { kind: 'run', run: key };
  if (parts[1] === 'report' && parts.length === 4) return { kind: 'report', run: parts[0]! };
  if (parts[1] === 'file' && parts.length === 3) return { kind: 'file', pipeline: parts[0]!, sha256: parts[2]! };
  if (parts[1] === 'state' && parts.length === 4) return { kind: 'state', pipeline: parts[0]! };
  if (parts[1] === 'schedule' && parts.length === 2) return { kind: 'schedule', pipeline: parts[0]! };
  return null;
}
