// Everything that ingest runs on, opened in the order in which it is needed and closed in reverse.
import { allTopicSettings, readPipelines, type Pipeline } from '#contracts';
import { KafkaClient } from '#kafka';
import { openRedis, type RedisStore } from '#redis';
import { kafkaLogger, type IngestMetrics, type Logger, type ServiceConfig } from '#runtime';
import { Rehearsal } from './rehearsal/rehearse.js';
import { RunParts } from './runs/run-parts.js';
import { RunStore } from './runs/run-store.js';
import { Intake } from './uploads/intake.js';
import { Publisher } from './uploads/publisher.js';
import { RefusedRows } from './uploads/refused-rows.js';
import { Spool } from './uploads/spool.js';
import { UploadQueue } from './uploads/upload-queue.js';

export interface IngestServices {
  pipelines: ReadonlyMap<string, Pipeline>;
  client: KafkaClient;
  redis: RedisStore;
  store: RunStore;
  parts: RunParts;
  intake: Intake;
  queues: ReadonlyMap<string, UploadQueue>;
  close(): Promise<void>;
}

interface Surroundings {
  config: ServiceConfig;
  logger: Logger;
  metrics: IngestMetrics;
  onFatal: (error: unknown) => void;
}

/** Opens everything, or closes what it has opened and throws. */
export async function openIngest(around: Surroundings): Promise<IngestServices> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return { ...(await open(around, (closer) => closers.push(closer))), close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

async function open(around: Surroundings, onClose: (closer: () => Promise<void>) => void) {
  const { config, logger, onFatal, metrics } = around;
  const { topicPrefix: prefix, partitions } = config;
  const pipelines = readPipelines(config.pipelinesDir);
  const client = new KafkaClient({ brokers: config.kafkaBrokers, clientId: 'caudal-ingest', logger: kafkaLogger(logger) });
  onClose(() => client.close());
  await client.connect();
  await client.ensureTopics(allTopicSettings(prefix, partitions, pipelines.values()));
  const redis = await openRedis({ url: config.redisUrl, name: 'caudal-ingest' });
  onClose(() => redis.close());
  const spool = await Spool.open(config.stateDir);
  const onError = (error: unknown, what: string) => logger.warn({ err: error }, `${what} failed`);
  const store = new RunStore({ client, prefix, now: Date.now, onError, onFatal });
  onClose(() => store.close());
  await store.start();
  const parts = new RunParts(client, prefix);
  onClose(() => parts.close());
  const refusedRows = new RefusedRows(client, prefix, partitions);
  onClose(() => refusedRows.close());
  const queues = await openQueues(around, pipelines, client, store, spool, onClose);
  const intake = new Intake({
    store,
    spool,
    queues,
    pipelines,
    rehearsal: new Rehearsal(redis, parts),
    refusedRows,
    pingRedis: () => redis.ping(),
    partitions,
    redisDelayMs: config.redisCheckDelayMs,
    now: Date.now,
    log: logger,
    onChecked: (pipeline, rows) => {
      metrics.rowsRead.inc({ pipeline }, rows.read);
      metrics.rowsAccepted.inc({ pipeline }, rows.accepted);
      metrics.rowsRejected.inc({ pipeline }, rows.rejected);
    },
  });
  // Not awaited: the door opens at once; new files queue behind the recovered ones.
  intake.recover().catch(onFatal);
  return { pipelines, client, redis, store, parts, intake, queues };
}

async function openQueues(
  around: Surroundings,
  pipelines: ReadonlyMap<string, Pipeline>,
  client: KafkaClient,
  store: RunStore,
  spool: Spool,
  onClose: (closer: () => Promise<void>) => void,
): Promise<ReadonlyMap<string, UploadQueue>> {
  const { config, metrics } = around;
  const queues = new Map<string, UploadQueue>();
  for (const pipeline of pipelines.keys()) {
    const publisher = new Publisher({
      client,
      prefix: config.topicPrefix,
      pipeline,
      partitions: config.partitions,
      now: Date.now,
      onTransaction: (records) => {
        metrics.transactions.inc({ pipeline });
        metrics.rowsPublished.inc({ pipeline }, records);
      },
    });
    const queue = new UploadQueue({
      publisher,
      store,
      spool,
      partitions: config.partitions,
      now: Date.now,
      log: around.logger,
      onFatal: around.onFatal,
    });
    queues.set(pipeline, queue);
    onClose(() => queue.stop());
  }
  await Promise.all([...queues.values()].map((queue) => queue.start()));
  return queues;
}
