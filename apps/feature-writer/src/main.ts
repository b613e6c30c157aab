// The feature-writer service: a Nest microservice on the batch transport, with health and metrics over HTTP.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { allTopicSettings, groupIds, pipelineTopics, readPipelines, type Pipeline } from '#contracts';
import { groupsNotReady, KafkaBatchServer, KafkaClient, logTaskEvent } from '#kafka';
import { openRedis } from '#redis';
import {
  createLogger,
  httpAdapter,
  kafkaLogger,
  nestLogger,
  configOrExit,
  Opened,
  runService,
  secure,
  WriterMetrics,
  type Logger,
  type ServiceConfig,
} from '#runtime';
import { FeatureWriterModule } from './feature-writer.module.js';
import { Reports } from './report.js';

const TICK_MS = 5_000;

/** The transport: one consumer group per pipeline, on its features. */
function openTransport(
  config: ServiceConfig,
  pipelines: ReadonlyMap<string, Pipeline>,
  client: KafkaClient,
  logger: Logger,
  onFatal: (error: unknown) => void,
): KafkaBatchServer {
  return new KafkaBatchServer({
    client,
    logger: kafkaLogger(logger),
    onFatal,
    groups: [...pipelines.keys()].map((name) => ({
      name,
      groupId: groupIds.writer(config.topicPrefix, name),
      topic: pipelineTopics(config.topicPrefix, name).features,
      sessionTimeoutMs: config.sessionTimeoutMs,
      tickMs: TICK_MS,
      onEvent: (event) => logTaskEvent(kafkaLogger(logger), name, event),
    })),
  });
}

const config = configOrExit('feature-writer');
const logger = createLogger({ service: 'feature-writer', level: config.logLevel });
const metrics = new WriterMetrics();

await runService({
  name: 'feature-writer',
  logger,
  start: ({ fatal }) =>
    Opened.by(async (opened) => {
      const pipelines = readPipelines(config.pipelinesDir);
      const client = new KafkaClient({
        brokers: config.kafkaBrokers,
        security: config.kafkaSecurity,
        clientId: 'caudal-feature-writer',
        logger: kafkaLogger(logger),
      });
      opened.add(() => client.close());
      await client.connect();
      await client.ensureTopics(allTopicSettings(config.topicPrefix, config.partitions, pipelines.values()));
      const redis = await openRedis({ url: config.redisUrl, ca: config.redisCa, name: 'caudal-feature-writer' });
      opened.add(() => redis.close());
      const reports = new Reports(client, config.topicPrefix);
      opened.add(() => reports.close());
      const transport = openTransport(config, pipelines, client, logger, fatal);
      const checks = { kafka: () => client.ping(1_500), redis: () => redis.ping() };
      const module = FeatureWriterModule.register({
        client,
        redis,
        reports,
        metrics,
        settings: { config, pipelines },
        ready: () => groupsNotReady({ checks, groups: transport.groupStatus() }),
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
      logger.info({ host: config.host, port: config.port }, 'feature-writer is consuming');
      return { stop: () => opened.close() };
    }),
});
