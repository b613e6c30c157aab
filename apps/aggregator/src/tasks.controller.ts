// Translates the batch transport's messages into calls of the partition's task. A group is a pipeline's stage: the tasks
// of its rows, and where some view is not grouped by the key columns those of its partials.
import { Controller, Inject, UseFilters } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import type { Pipeline, Stage } from '#contracts';
import {
  KafkaBatchContext,
  KafkaClient,
  RethrowFilter,
  TASK_PATTERNS,
  type TaskBatchMessage,
  type TaskMessage,
} from '#kafka';
import { AggregatorMetrics, type ServiceConfig } from '#runtime';
import { GroupByTask } from './group-by.task.js';
import { MergeTask } from './merge.task.js';
import type { StateBudget } from './state-budget.js';

export const AGGREGATOR_SETTINGS = Symbol('aggregator settings');
export interface AggregatorSettings {
  config: ServiceConfig;
  pipelines: ReadonlyMap<string, Pipeline>;
  budget: StateBudget;
}

/** The group of one stage, as the transport names it: the pipeline's name stands for its rows. */
export const groupName = (pipeline: string, stage: Stage): string =>
  stage === 'rows' ? pipeline : `${pipeline}/${stage}`;

@Controller()
@UseFilters(RethrowFilter)
export class TasksController {
  private readonly tasks = new Map<string, GroupByTask | MergeTask>();

  constructor(
    @Inject(KafkaClient) private readonly client: KafkaClient,
    @Inject(AggregatorMetrics) private readonly metrics: AggregatorMetrics,
    @Inject(AGGREGATOR_SETTINGS) private readonly settings: AggregatorSettings,
  ) {}

  @MessagePattern(TASK_PATTERNS.acquire)
  async acquire(@Payload() message: TaskMessage, @Ctx() context: KafkaBatchContext): Promise<bigint> {
    return this.task(message).acquire(context.getContext());
  }

  @MessagePattern(TASK_PATTERNS.process)
  async process(@Payload() message: TaskBatchMessage, @Ctx() context: KafkaBatchContext): Promise<void> {
    const task = this.task(message);
    await task.process(message.batch, context.getContext());
    const lag = message.batch.highWatermark - message.batch.next;
    const labels = labelsOf(message);
    this.metrics.lagRecords.set(labels, Number(lag > 0n ? lag : 0n));
    this.metrics.openWindows.set(labels, task.size);
  }

  @EventPattern(TASK_PATTERNS.drop)
  async drop(@Payload() message: TaskMessage): Promise<void> {
    const name = nameOf(message);
    const task = this.tasks.get(name);
    this.tasks.delete(name);
    // Another process may own the partition now: two lags of one partition would be added up.
    const labels = labelsOf(message);
    this.metrics.lagRecords.remove(labels);
    this.metrics.openWindows.remove(labels);
    await task?.drop();
  }

  private task(message: TaskMessage): GroupByTask | MergeTask {
    const name = nameOf(message);
    let task = this.tasks.get(name);
    if (!task) {
      const { config, pipelines, budget } = this.settings;
      const { pipeline, stage } = placeOf(message);
      const options = {
        client: this.client,
        prefix: config.topicPrefix,
        pipeline: pipelines.get(pipeline)!,
        partition: message.partition,
        partitions: config.partitions,
        metrics: this.metrics,
        share: budget.share(name),
      };
      task = stage === 'rows' ? new GroupByTask(options) : new MergeTask(options);
      this.tasks.set(name, task);
    }
    return task;
  }
}

const nameOf = ({ group, partition }: TaskMessage): string => `${group}/${partition}`;

function placeOf({ group }: TaskMessage): { pipeline: string; stage: Stage } {
  const [pipeline, stage = 'rows'] = group.split('/') as [string, Stage?];
  return { pipeline, stage };
}

function labelsOf(message: TaskMessage): { pipeline: string; stage: Stage; partition: number } {
  return { ...placeOf(message), partition: message.partition };
}
