// Everything that ingest runs on, opened in the order in which it is needed and closed in reverse.
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { stagesOf, type Pipeline } from '#contracts';
import type { KafkaClient } from '#kafka';
import { openRedis, type RedisStore } from '#redis';
import { type IngestMetrics, type Logger, type ServiceConfig } from '#runtime';
import { Judge } from './checks/judge.js';
import { referenceFiles } from './checks/reference-files.js';
import { References } from './checks/references.js';
import type { FileRuns } from './files/file-runs.js';
import type { Notifier } from './notify/notifier.js';
import { Rehearsal } from './rehearsal/rehearse.js';
import { KeptProducer } from './runs/kept-producer.js';
import { observeRuns } from './runs/observe-runs.js';
import { RunJournal } from './runs/run-journal.js';
import { RunParts } from './runs/run-parts.js';
import { RunStore } from './runs/run-store.js';
import { PipelineResets } from './pipelines/pipeline-resets.js';
import { PipelineStatus } from './pipelines/pipeline-status.js';
import { AggregatorLag } from './uploads/aggregator-lag.js';
import { Examiner } from './uploads/examiner.js';
import { Intake } from './uploads/intake.js';
import { Publisher } from './uploads/publisher.js';
import { Recovery } from './uploads/recovery.js';
import { RefusedRows } from './uploads/refused-rows.js';
import { RunActions } from './uploads/run-actions.js';
import { SpoolKeeper } from './uploads/spool-keeper.js';
import { Spool } from './uploads/spool.js';
import { UploadQueue } from './uploads/upload-queue.js';
import { openNotifier, openWaysIn } from './ways-in.js';

export interface IngestServices {
  pipelines: ReadonlyMap<string, Pipeline>;
  client: KafkaClient;
  redis: RedisStore;
  store: RunStore;
  parts: RunParts;
  intake: Intake;
  fileRuns: FileRuns;
  actions: RunActions;
  journal: RunJournal;
  status: PipelineStatus;
  resets: PipelineResets;
  queues: ReadonlyMap<string, UploadQueue>;
  /** Aborted by {@link letGo}. */
  stop: AbortSignal;
  /** Ends all waiting (bodies, verdicts, answers), so that the door can close. */
  letGo(): void;
  close(): Promise<void>;
}

interface Surroundings {
  config: ServiceConfig;
  logger: Logger;
  metrics: IngestMetrics;
  onFatal: (error: unknown) => void;
  /** Its topics stand. */
  client: KafkaClient;
  pipelines: ReadonlyMap<string, Pipeline>;
}

interface AroundRuns extends Surroundings {
  /** A log that also keeps the lines of runs. */
  runLog: ReturnType<RunJournal['keeping']>;
}

type OnClose = (closer: () => Promise<void>) => void;

/** Opens everything, or closes what it has opened and throws. */
export async function openIngest(around: Surroundings): Promise<IngestServices> {
  const closers: (() => Promise<void>)[] = [];
  const stopping = new AbortController();
  const stop = stopping.signal;
  // Every body and every waiting answer listens.
  setMaxListeners(0, stop);
  const close = async () => {
    stopping.abort();
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const opened = await open(around, stop, (closer) => closers.push(closer));
    return { ...opened, stop, letGo: () => stopping.abort(), close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

async function open(around: Surroundings, stop: AbortSignal, onClose: OnClose) {
  const { config, logger, onFatal, metrics, client, pipelines } = around;
  const journal = new RunJournal(Date.now);
  const runLog = journal.keeping(logger);
  const { topicPrefix: prefix, partitions } = config;
  const redis = await openRedis({ url: config.redisUrl, ca: config.redisCa, name: 'caudal-ingest' });
  onClose(() => redis.close());
  const spool = await Spool.open(config.stateDir, config.limits.spoolBytes);
  const { store, notifier } = await openStore({ ...around, runLog }, stop, onClose);
  measure(metrics, store, spool);
  const producer = new KeptProducer(client);
  onClose(() => producer.close());
  const parts = new RunParts(client, producer, prefix);
  const queues = await openQueues({ ...around, runLog }, pipelines, { client, store, spool }, onClose);
  const readFile = referenceFiles({
    folder: join(config.dataDir, 'files'),
    limits: config.limits,
    typedPath: (run) => spool.typedPath(run),
    maxRows: config.limits.rows,
    stop,
  });
  const references = new References({ store, parts, readFile });
  const examiner = new Examiner({
    store,
    references,
    judge: new Judge({ references, parts, log: logger }),
    spool,
    queues,
    rehearsal: new Rehearsal(redis, parts),
    refusedRows: new RefusedRows(producer, prefix, partitions),
    pingRedis: () => redis.ping(),
    partitions,
    redisDelayMs: config.redisCheckDelayMs,
    maxRows: config.limits.rows,
    now: Date.now,
    stop,
    log: runLog,
    onChecking: (run, checked) => journal.checking(run, checked),
    onChecked: (pipeline, rows) => {
      metrics.rowsRead.inc({ pipeline }, rows.read);
      metrics.rowsAccepted.inc({ pipeline }, rows.accepted);
      metrics.rowsRejected.inc({ pipeline }, rows.rejected);
    },
  });
  const now = Date.now;
  const keeper = new SpoolKeeper({ store, spool, now });
  const recovery = new Recovery({ store, spool, keeper, queues, pipelines, examiner, now, stop, log: runLog });
  const refusal = (pipeline: string) => queues.get(pipeline)?.refusal ?? null;
  const lag = new AggregatorLag({ client, prefix, pipelines: pipelines.values(), now, stop, log: logger });
  const looking = lag.run();
  onClose(() => looking);
  const isBehind = (pipeline: string) => lag.isBehind(pipeline);
  const intake = new Intake({ store, spool, examiner, recovery, refusal, isBehind, now, stop });
  // Not awaited: the door opens at once; new files queue behind the recovered ones.
  recovery.start().catch((error: unknown) => {
    if (!stop.aborted) onFatal(error);
  });
  notifier?.start();
  const { fileRuns, done } = await openWaysIn({ config, logger, pipelines, store, intake, keeper, stop });
  onClose(async () => void (await done));
  const actions = new RunActions({ store, spool, examiner, recovery, queues, pipelines, now });
  const status = new PipelineStatus({ client, prefix, pipelines, queues, now });
  const resets = new PipelineResets({ client, prefix, pipelines, queues, store, now });
  const reading = { store, parts, fileRuns, actions, journal, status, resets };
  return { pipelines, client, redis, intake, queues, ...reading };
}

/** The memory of runs, and whoever is told of their changes. */
async function openStore(
  around: AroundRuns,
  stop: AbortSignal,
  onClose: OnClose,
): Promise<{ store: RunStore; notifier: Notifier | null }> {
  const { config, logger, metrics, onFatal, runLog, client, pipelines } = around;
  let notifier: Notifier | null = null;
  const observe = observeRuns(metrics, runLog);
  const store = new RunStore({
    client,
    prefix: config.topicPrefix,
    now: Date.now,
    onError: (error, what) => logger.warn({ err: error }, `${what} failed`),
    onFatal,
    onChange: (run, before) => {
      observe(run, before);
      notifier?.take(run);
    },
  });
  onClose(() => store.close());
  await store.start();
  notifier = await openNotifier({ config, logger, pipelines, store, stop, metrics });
  return { store, notifier };
}

/** Gauges that are looked up when somebody reads them. */
function measure(metrics: IngestMetrics, store: RunStore, spool: Spool): void {
  metrics.beforeReading(() => {
    metrics.runs.reset();
    for (const [state, count] of store.countByState()) metrics.runs.set({ state }, count);
    metrics.spoolBytes.set(spool.bytes);
  });
}

async function openQueues(
  around: AroundRuns,
  pipelines: ReadonlyMap<string, Pipeline>,
  on: { client: KafkaClient; store: RunStore; spool: Spool },
  onClose: OnClose,
): Promise<ReadonlyMap<string, UploadQueue>> {
  const { config, metrics, runLog: log, onFatal } = around;
  const { topicPrefix: prefix, partitions } = config;
  const queues = new Map<string, UploadQueue>();
  for (const [pipeline, file] of pipelines) {
    const publisher = new Publisher({
      client: on.client,
      prefix,
      pipeline: file,
      partitions,
      now: Date.now,
      onTransaction: (rows) => {
        metrics.transactions.inc({ pipeline });
        metrics.rowsPublished.inc({ pipeline }, rows);
      },
    });
    const { store, spool } = on;
    const expects = Object.fromEntries(stagesOf(file).map((stage) => [stage, partitions]));
    const queue = new UploadQueue({ publisher, store, spool, expects, now: Date.now, log, onFatal });
    queues.set(pipeline, queue);
    onClose(() => queue.stop());
  }
  await Promise.all([...queues.values()].map((queue) => queue.start()));
  return queues;
}
