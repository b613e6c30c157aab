// What each pipeline is and how far its results are behind: from the pipeline file, the consumer groups' committed offsets
// and the publisher's memory. Asked of Kafka at most once a second, however many ask.
import { groupIds, pipelineTopics, stagesOf, type Pipeline, type View, type ViewSince } from '#contracts';
import type { KafkaClient } from '#kafka';
import type { UploadQueue } from '../uploads/upload-queue.js';

export interface PipelineStatusOptions {
  client: Pick<KafkaClient, 'offsets' | 'committedOffsets' | 'readPartition'>;
  prefix: string;
  pipelines: ReadonlyMap<string, Pipeline>;
  queues: ReadonlyMap<string, Pick<UploadQueue, 'streamTime' | 'isReady' | 'waitingUploads' | 'refusal' | 'since'>>;
  now: () => number;
}

/** Records between what was handled and the end of the log, in all and by partition. */
interface Lag {
  records: number;
  partitions: number[];
}

export interface PipelineDocument {
  name: string;
  key: readonly string[];
  columns: readonly string[];
  views: object[];
  schedule: object | null;
  /** `rows` and `partials` (where views need them): not aggregated yet; `features`: not in Redis yet. */
  lag: { rows: Lag; partials?: Lag; features: Lag };
  /** Largest event time of the uploads that have ended, epoch ms; null before the first. */
  stream_time: number | null;
  /** Uploads that have passed their checks and are not published whole. */
  uploads_waiting: number;
  publisher_ready: boolean;
  /** Why the pipeline takes no files before a reset (its key columns changed); null: it does. */
  refused: string | null;
}

const FRESH_MS = 1_000;
const MARKER = 1;
const COUNTED_MAX = 16;
const COUNT_MS = 5_000;

export class PipelineStatus {
  private readonly asked = new Map<string, { at: number; document: Promise<PipelineDocument> }>();

  constructor(private readonly options: PipelineStatusOptions) {}

  /** All pipelines by name. Throws a KafkaError. */
  async all(): Promise<PipelineDocument[]> {
    return Promise.all([...this.options.pipelines.keys()].sort().map((name) => this.one(name)!));
  }

  /** Undefined when there is no pipeline of this name. Rejects with a KafkaError. */
  one(name: string): Promise<PipelineDocument> | undefined {
    const pipeline = this.options.pipelines.get(name);
    if (!pipeline) return undefined;
    const at = this.options.now();
    const before = this.asked.get(name);
    if (before && at - before.at < FRESH_MS) return before.document;
    const document = this.describe(pipeline);
    this.asked.set(name, { at, document });
    document.catch(() => this.asked.delete(name));
    return document;
  }

  private async describe(pipeline: Pipeline): Promise<PipelineDocument> {
    const { prefix, queues } = this.options;
    const { name } = pipeline;
    const topics = pipelineTopics(prefix, name);
    const queue = queues.get(name)!;
    const hasPartials = stagesOf(pipeline).includes('partials');
    const [rows, partials, features] = await Promise.all([
      this.lag(groupIds.rows(prefix, name), topics.rows),
      hasPartials ? this.lag(groupIds.partials(prefix, name), topics.partials) : null,
      this.lag(groupIds.writer(prefix, name), topics.features),
    ]);
    const { schedule } = pipeline;
    return {
      name,
      key: pipeline.key,
      columns: pipeline.columns.map((column) => column.name),
      views: pipeline.views.map((view) => ({ ...describeView(view), ...beginning(queue.since[view.name] ?? null) })),
      schedule: schedule && { cron: schedule.cron, time_zone: schedule.timeZone, file: schedule.file },
      lag: { rows, ...(partials ? { partials } : {}), features },
      stream_time: queue.streamTime,
      uploads_waiting: queue.waitingUploads,
      publisher_ready: queue.isReady,
      refused: queue.refusal,
    };
  }

  private async lag(group: string, topic: string): Promise<Lag> {
    const { client } = this.options;
    const [committed, offsets] = await Promise.all([client.committedOffsets(group, topic), client.offsets(topic)]);
    const partitions = await Promise.all(
      offsets.map(({ partition, start, end }) => this.records(topic, partition, committed.get(partition) ?? start, end)),
    );
    return { records: partitions.reduce((sum, lag) => sum + lag, 0), partitions };
  }

  /** Every transaction leaves a marker behind its records: of a small distance the records are counted. */
  private async records(topic: string, partition: number, from: bigint, end: bigint): Promise<number> {
    const distance = Number(end - from);
    if (distance <= MARKER) return 0;
    if (distance > COUNTED_MAX) return distance;
    const signal = AbortSignal.timeout(COUNT_MS);
    const read = await this.options.client.readPartition({ topic, partition, from, signal, onRecord: () => undefined });
    return read.records;
  }
}

function describeView(view: View): object {
  return {
    name: view.name,
    group_by: view.groupBy,
    window: view.window.type,
    features: view.features.map(({ name }) => name),
    redis: { key: view.redis.key, ttl_ms: view.redis.ttlMs },
  };
}

/**
 * `since`: when the first upload that the view counts was created; null where it counts from the first of all, and with
 * `waiting` while nothing has come since it was added.
 */
function beginning(since: ViewSince | null): { since: string | null; waiting?: true } {
  if (since === null || since.at !== null) return { since: since?.at ?? null };
  return { since: null, waiting: true };
}
