// Translates the batch transport's messages into calls of the partition's task. A group is a pipeline.
import { Controller, Inject, UseFilters } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import type { Pipeline } from '#contracts';
import {
  KafkaBatchContext,
  KafkaClient,
  RethrowFilter,
  TASK_PATTERNS,
  type TaskBatchMessage,
  type TaskMessage,
} from '#kafka';
import { RedisStore } from '#redis';
import { WriterMetrics, type ServiceConfig } from '#runtime';
import { Reports } from './report.js';
import { WriteFeaturesTask } from './write-features.js';

export const WRITER_SETTINGS = Symbol('writer settings');
export interface WriterSettings {
  config: ServiceConfig;
  pipelines: ReadonlyMap<string, Pipeline>;
}

@Controller()
@UseFilters(RethrowFilter)
export class FeaturesController {
  private readonly tasks = new Map<string, WriteFeaturesTask>();

  constructor(
    @Inject(KafkaClient) private readonly client: KafkaClient,
    @Inject(RedisStore) private readonly redis: RedisStore,
    @Inject(Reports) private readonly reports: Reports,
    @Inject(WriterMetrics) private readonly metrics: WriterMetrics,
    @Inject(WRITER_SETTINGS) private readonly settings: WriterSettings,
  ) {}

  @MessagePattern(TASK_PATTERNS.acquire)
  async acquire(@Payload() message: TaskMessage, @Ctx() context: KafkaBatchContext): Promise<bigint> {
    return this.task(message).acquire(context.getContext());
  }

  @MessagePattern(TASK_PATTERNS.process)
  async process(@Payload() message: TaskBatchMessage, @Ctx() context: KafkaBatchContext): Promise<void> {
    await this.task(message).process(message.batch, context.getContext());
    const lag = message.batch.highWatermark - message.batch.next;
    const labels = { pipeline: message.group, partition: message.partition };
    this.metrics.lagRecords.set(labels, Number(lag > 0n ? lag : 0n));
  }

  @MessagePattern(TASK_PATTERNS.tick)
  async tick(@Payload() message: TaskMessage): Promise<void> {
    await this.task(message).tick();
  }

  @EventPattern(TASK_PATTERNS.drop)
  drop(@Payload() message: TaskMessage): void {
    const name = nameOf(message);
    this.tasks.get(name)?.drop();
    this.tasks.delete(name);
    // Another process may own the partition now: two lags of one partition would be added up.
    this.metrics.lagRecords.remove({ pipeline: message.group, partition: message.partition });
  }

  private task(message: TaskMessage): WriteFeaturesTask {
    const name = nameOf(message);
    let task = this.tasks.get(name);
    if (!task) {
      task = new WriteFeaturesTask({
        client: this.client,
        redis: this.redis,
        reports: this.reports,
        prefix: this.settings.config.topicPrefix,
        pipeline: this.settings.pipelines.get(message.group)!,
        partition: message.partition,
        metrics: this.metrics,
        now: Date.now,
      });
      this.tasks.set(name, task);
    }
    return task;
  }
}

const nameOf = ({ group, partition }: TaskMessage): string => `${group}/${partition}`;
