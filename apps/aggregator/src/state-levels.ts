// Tells ingest, through `caudal.runs`, and metrics how full the state of this process is: for each task a record when its
// level changes, and when it was acquired (an earlier owner may have left another).
import { sharedTopics, taskStateKey, type Stage, type TaskLevel, type TaskState } from '#contracts';
import type { KafkaClient, PlainProducer } from '#kafka';
import type { AggregatorMetrics, Logger } from '#runtime';
import type { StateBudget } from './state-budget.js';

export interface TaskName {
  pipeline: string;
  stage: Stage;
  partition: number;
}

type Level = 'ok' | TaskLevel;

interface KnownTask extends TaskName {
  hasPaused: boolean;
  /** What Kafka has been told; null: nothing by this owner. */
  told: Level | null;
}

const EVERY_MS = 1_000;

export class StateLevels {
  private readonly tasks = new Map<string, KnownTask>();
  private producer: PlainProducer | null = null;
  private timer: NodeJS.Timeout | null = null;
  private telling: Promise<void> | null = null;
  private hasWarned = false;

  constructor(
    private readonly options: {
      client: KafkaClient;
      prefix: string;
      budget: StateBudget;
      metrics: AggregatorMetrics;
      logger: Logger;
    },
  ) {
    const { metrics, budget } = options;
    metrics.stateMaxBytes.set(budget.maxBytes);
    metrics.beforeReading(() => metrics.stateBytes.set(budget.usedBytes));
  }

  start(): void {
    this.timer = setInterval(() => this.tell(), EVERY_MS);
  }

  async close(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    await this.telling;
    await this.producer?.close();
  }

  acquired(name: TaskName): void {
    this.know(name, false);
  }

  paused(name: TaskName): void {
    this.know(name, true);
  }

  /** Another process may have it now, and tells of it itself. */
  lost(name: TaskName): void {
    this.tasks.delete(keyOf(name));
    this.options.metrics.tasksPaused.remove({ ...name });
  }

  private know(name: TaskName, hasPaused: boolean): void {
    const key = keyOf(name);
    this.tasks.set(key, { ...name, hasPaused, told: null });
    this.options.metrics.tasksPaused.set({ ...name }, hasPaused ? 1 : 0);
    this.tell();
  }

  /** What has changed since the last time; while Kafka is away it is tried again every second. */
  private tell(): void {
    this.warn();
    this.telling ??= this.send()
      .catch((error: unknown) => this.options.logger.warn({ err: error }, 'how full the state is could not be told'))
      .finally(() => (this.telling = null));
  }

  private async send(): Promise<void> {
    const { client, prefix, budget } = this.options;
    const due = [...this.tasks.values()]
      .map((task) => ({ task, level: this.levelOf(task) }))
      .filter(({ task, level }) => task.told !== level);
    if (due.length === 0) return;
    const { runs: topic } = sharedTopics(prefix);
    const records = due.map(({ task, level }) => {
      const state = { level, bytes: budget.usedBytes, max_bytes: budget.maxBytes } as TaskState;
      return { topic, partition: 0, key: keyOf(task), value: level === 'ok' ? null : JSON.stringify(state) };
    });
    const producer = (this.producer ??= await client.openProducer());
    try {
      await producer.send(records);
    } catch (error) {
      // Never used again after an error.
      this.producer = null;
      await producer.close();
      throw error;
    }
    for (const { task, level } of due) task.told = level;
  }

  private levelOf({ hasPaused }: KnownTask): Level {
    if (hasPaused) return 'full';
    return this.options.budget.isNearlyFull ? 'warn' : 'ok';
  }

  private warn(): void {
    const { budget, logger } = this.options;
    // A paused task has let go of its state: it was at the bound all the same.
    const isNearlyFull = budget.isNearlyFull || [...this.tasks.values()].some(({ hasPaused }) => hasPaused);
    if (isNearlyFull === this.hasWarned) return;
    this.hasWarned = isNearlyFull;
    const fields = { state_bytes: budget.usedBytes, max_bytes: budget.maxBytes };
    if (this.hasWarned) {
      logger.warn(
        fields,
        'state has reached 90 % of its bound: ingest turns new uploads away (state_full); raise CAUDAL_STATE_MAX_BYTES or start another aggregator',
      );
    } else logger.info(fields, 'state is below 90 % of its bound again');
  }
}

const keyOf = ({ pipeline, stage, partition }: TaskName): string => taskStateKey(pipeline, stage, partition);
