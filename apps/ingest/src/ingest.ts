// An ingest process from its start to its end: a standby until nobody else is active, then the active one.
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { allTopicSettings, readPipelines, type Pipeline } from '#contracts';
import { KafkaClient } from '#kafka';
import {
  kafkaLogger,
  Opened,
  type IngestMetrics,
  type Logger,
  type RunningService,
  type ServiceConfig,
} from '#runtime';
import { openDoor } from './door.js';
import { openIngest, type IngestServices } from './services.js';
import { Lease } from './standby/lease.js';
import { openStandbyDoor } from './standby/standby-door.js';

export interface IngestOptions {
  config: ServiceConfig;
  logger: Logger;
  metrics: IngestMetrics;
  /** The process must end, and be started again. */
  onFatal: (error: unknown) => void;
}

/** Resolves when the process answers: as the active ingest or as a standby. */
export function startIngest(options: IngestOptions): Promise<RunningService> {
  return Opened.by(async (opened) => {
    const { config, logger, onFatal } = options;
    const pipelines = readPipelines(config.pipelinesDir);
    const client = new KafkaClient({
      brokers: config.kafkaBrokers,
      security: config.kafkaSecurity,
      clientId: 'caudal-ingest',
      logger: kafkaLogger(logger),
    });
    opened.add(() => client.close());
    await client.connect();
    await client.ensureTopics(allTopicSettings(config.topicPrefix, config.partitions, pipelines.values()));
    const lease = new Lease({ client, prefix: config.topicPrefix, log: logger, onLost: onFatal });
    opened.add(() => lease.release());
    const ingest = new Ingest(options, client, pipelines, lease);
    opened.add(() => ingest.close());
    await ingest.open();
    return {
      stop: async () => {
        ingest.letGo();
        await opened.close();
      },
    };
  });
}

class Ingest {
  private services: IngestServices | null = null;
  private app: NestFastifyApplication | null = null;
  private standbyDoor: FastifyInstance | null = null;
  private takingOver: Promise<void> = Promise.resolve();
  private isClosing = false;

  constructor(
    private readonly options: IngestOptions,
    private readonly client: KafkaClient,
    private readonly pipelines: ReadonlyMap<string, Pipeline>,
    private readonly lease: Lease,
  ) {}

  async open(): Promise<void> {
    if (await this.lease.isFree()) return this.beActive();
    const { config, metrics, logger, onFatal } = this.options;
    this.standbyDoor = await openStandbyDoor(config, metrics, logger);
    logger.info({ host: config.host, port: config.port }, 'another ingest is active: this one stands by');
    this.takingOver = this.takeOver().catch((error: unknown) => {
      if (!this.isClosing) onFatal(error);
    });
  }

  /** Ends all waiting (bodies, verdicts, answers), so that {@link close} is quick. */
  letGo(): void {
    this.isClosing = true;
    this.services?.letGo();
    this.lease.stopWaiting();
  }

  async close(): Promise<void> {
    this.letGo();
    await this.takingOver;
    await this.standbyDoor?.close();
    await this.app?.close();
    await this.services?.close();
  }

  private async takeOver(): Promise<void> {
    if (!(await this.lease.untilFree())) return;
    this.options.logger.info({}, 'nobody else is active: this ingest takes over');
    await this.beActive();
  }

  /** Fences whoever was active before, then loads what is known and opens the door. */
  private async beActive(): Promise<void> {
    const { config, logger, metrics, onFatal } = this.options;
    await this.lease.take();
    const { client, pipelines } = this;
    this.services = await openIngest({ config, logger, metrics, onFatal, client, pipelines });
    if (this.isClosing) this.services.letGo();
    this.app = await openDoor(this.services, config, metrics, logger);
    await this.standbyDoor?.close();
    this.standbyDoor = null;
    await this.app.listen(config.port, config.host);
    logger.info({ host: config.host, port: config.port }, 'ingest is listening');
  }
}
