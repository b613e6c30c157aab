// What an app supplies to be run per partition (the aggregator: transactions; the writer: Redis), and what it gets.
import type { ReadProgress } from './read-partition.js';
import type { KafkaRecord } from './records.js';
import type { Restoring } from './restore-progress.js';

/** What one fetch brought for a partition. */
export interface TaskBatch {
  /** Records at or above the task's position, in order, control records of Kafka's own left out. Never empty. */
  records: KafkaRecord[];
  /** The offset after the last record or transaction marker of the fetch: the position once all is handled. */
  next: bigint;
  /** The partition's high watermark when the fetch was answered: `highWatermark - next` is the lag. */
  highWatermark: bigint;
}

/** A task: one instance per owned partition, kept over re-acquires, dropped when the partition is lost. */
export interface PartitionTask {
  /** Fences earlier owners and restores; answers the next input offset. Runs again after every failure. */
  acquire(ctx: TaskContext): Promise<bigint>;
  /** Handles everything up to `batch.next`; when it resolves, the position is `batch.next`. */
  process(batch: TaskBatch, ctx: TaskContext): Promise<void>;
  /** Called every `tickMs` while the task is ready; never beside `process` or another tick. */
  tick?(ctx: TaskContext): Promise<void>;
  /** Forgets everything that is not in Kafka. Never called beside acquire, process or tick. */
  drop(): void | Promise<void>;
}

/** A task's hold on its partition, valid from one acquire to the next loss or failure. */
export interface TaskContext {
  readonly topic: string;
  readonly partition: number;
  /** Aborted when the partition is lost or the runner stops. */
  readonly signal: AbortSignal;
  /** Throws a KafkaError `task_lost` when the partition is no longer this task's: call it after awaits. */
  assertOwned(): void;
  /** Says how far `acquire` has come with reading the task's state, for `status()` and the log. */
  restoring(progress: ReadProgress): void;
  /** Says how far `process` has come, for `status()`. */
  advance(next: bigint): void;
  /** Commits `next` as the group's offset (plain, no transaction: the writer's way). Throws KafkaErrors. */
  commitOffset(next: bigint): Promise<void>;
}

/** One owned partition as health and metrics see it. */
export interface TaskStatus {
  partition: number;
  state: 'acquiring' | 'ready' | 'halted';
  /** The next input offset; null before the first acquire. */
  next: bigint | null;
  /** High watermark of the last fetch; null before the first. */
  highWatermark: bigint | null;
  /** Why it halted, or why the last acquire failed. */
  error?: string;
  /** While it is acquiring and reads its state. */
  restoring?: Restoring;
}

/** What a runner tells as it happens, for logs and metrics. */
export type TaskEvent =
  | { kind: 'joined'; partitions: number[] }
  | { kind: 'lost'; partition: number }
  | { kind: 'restoring'; partition: number; progress: Restoring }
  | { kind: 'ready'; partition: number; next: bigint; restored: Restoring | null }
  | { kind: 'failed'; partition: number; during: 'acquire' | 'process' | 'tick'; error: unknown }
  | { kind: 'halted'; partition: number; error: unknown }
  | { kind: 'restarting'; error: unknown };
