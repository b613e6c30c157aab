// How full the memory of an aggregator's task is: told in `caudal.runs`, so that ingest turns new uploads away before the
// task must pause. The key is {@link taskStateKey}; no record, or a deleted one, means that there is room.
import type { Stage } from './pipeline.js';

/** `warn`: the process that has the task is at 90 % of its bound; `full`: the task has paused. */
export type TaskLevel = 'warn' | 'full';

export interface TaskState {
  readonly level: TaskLevel;
  /** About how much all state of the process takes, and its bound, bytes. */
  readonly bytes: number;
  readonly max_bytes: number;
}

export const taskStateKey = (pipeline: string, stage: Stage, partition: number): string =>
  `${pipeline}/state/${stage}/${partition}`;
