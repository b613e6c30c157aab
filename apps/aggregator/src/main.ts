// The aggregator service: a Nest microservice on the batch transport, with health and metrics over HTTP.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { allTopicSettings, groupIds, pipelineTopics, readPipelines, stagesOf, type Pipeline } from '#contracts';
import {
  groupsNotReady,
  KafkaBatchServer,
  KafkaClient,
  logTaskEvent,
  type KafkaError,
  type Restoring,
  type TaskEvent,
} from '#kafka';
import {
  AggregatorMetrics,
  createLogger,
  httpAdapter,
  kafkaLogger,
  nestLogger,
  Opened,
  configOrExit,
  runService,
  secure,
  type Logger,
  type ServiceConfig,
} from '#runtime';
import { AggregatorModule } from './aggregator.module.js';
import { ResetWatch } from './reset-watch.js';
import { defaultStateBytes, StateBudget } from './state-budget.js';
import { StateLevels, type TaskName } from './state-levels.js';
import { groupName } from './tasks.controller.js';

/**
 * The transport: one consumer group per pipeline on its rows, and one on its partials where it has any. Two groups, so
 * that each may go on while the other waits; the same task of both may be in two processes.
 */
function openTransport(
  config: ServiceConfig,
  pipelines: ReadonlyMap<string, Pipeline>,
  client: KafkaClient,
  logger: Logger,
  levels: StateLevels,
  onFatal: (error: unknown) => void,
): KafkaBatchServer {
  return new KafkaBatchServer({
    client,
    logger: kafkaLogger(logger),
    onFatal,
    groups: [...pipelines.values()].flatMap((pipeline) =>
      stagesOf(pipeline).map((stage) => {
        const name = groupName(pipeline.name, stage);
        return {
          name,
          groupId: groupIds[stage](config.topicPrefix, pipeline.name),
          topic: pipelineTopics(config.topicPrefix, pipeline.name)[stage],
          sessionTimeoutMs: config.sessionTimeoutMs,
          onEvent: (event: TaskEvent) => {
            logTaskEvent(kafkaLogger(logger), name, event);
            if (event.kind === 'ready' && event.restored !== null) countRestore(pipeline.name, event.restored);
            tellLevel(levels, { pipeline: pipeline.name, stage }, event);
          },
        };
      }),
    ),
  });
}

function tellLevel(levels: StateLevels, of: Omit<TaskName, 'partition'>, event: TaskEvent): void {
  if (event.kind === 'ready') levels.acquired({ ...of, partition: event.partition });
  else if (event.kind === 'lost') levels.lost({ ...of, partition: event.partition });
  else if (event.kind === 'halted' && (event.error as KafkaError).code === 'state_full') {
    levels.paused({ ...of, partition: event.partition });
  }
}

function countRestore(pipeline: string, { records, seconds }: Restoring): void {
  metrics.restoredRecords.inc({ pipeline }, records);
  metrics.restoreSeconds.observe({ pipeline }, seconds);
}

const config = configOrExit('aggregator');
const logger = createLogger({ service: 'aggregator', level: config.logLevel });
const metrics = new AggregatorMetrics();

await runService({
  name: 'aggregator',
  logger,
  start: ({ fatal }) =>
    Opened.by(async (opened) => {
      const pipelines = readPipelines(config.pipelinesDir);
      const client = new KafkaClient({
        brokers: config.kafkaBrokers,
        security: config.kafkaSecurity,
        clientId: 'caudal-aggregator',
        logger: kafkaLogger(logger),
      });
      opened.add(() => client.close());
      await client.connect();
      await client.ensureTopics(allTopicSettings(config.topicPrefix, config.partitions, pipelines.values()));
      const budget = new StateBudget(config.stateMaxBytes ?? defaultStateBytes());
      const levels = new StateLevels({ client, prefix: config.topicPrefix, budget, metrics, logger });
      opened.add(() => levels.close());
      levels.start();
      const transport = openTransport(config, pipelines, client, logger, levels, fatal);
      const watch = new ResetWatch({
        client,
        prefix: config.topicPrefix,
        transport,
        onError: (error) => logger.warn({ err: error }, 'looking for a reset failed; tried again'),
      });
      opened.add(() => watch.close());
      const module = AggregatorModule.register({
        client,
        metrics,
        settings: { config, pipelines, budget },
        ready: () => groupsNotReady({ checks: { kafka: () => client.ping(1_500) }, groups: transport.groupStatus() }),
      });
      const app = await NestFactory.create<NestFastifyApplication>(module, httpAdapter(config), {
        logger: nestLogger(logger),
        abortOnError: false,
      });
      opened.add(() => app.close());
      await secure(app, config, logger);
      app.connectMicroservice({ strategy: transport });
      await app.listen(config.port, config.host);
      await app.startAllMicroservices();
      logger.info({ host: config.host, port: config.port }, 'aggregator is consuming');
      return { stop: () => opened.close() };
    }),
});
