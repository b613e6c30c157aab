// The writer's task for one partition of `features`: batches into Redis by one guarded script, a report at each end of
// an upload, and only then the group's offset. The marker in Redis and the log decide together where it stands.
import {
  decodeEndOfFeatures,
  decodeFeaturesReset,
  groupIds,
  pipelineTopics,
  RETRACTED_VIEW,
  type EndOfFeatures,
  type FeatureRecord,
  type Pipeline,
  type PipelineTopics,
} from '#contracts';
import {
  KafkaError,
  readGeneration,
  type KafkaClient,
  type KafkaRecord,
  type TaskBatch,
  type TaskContext,
} from '#kafka';
import { featureWritesOf, type FeatureWrite, type MarkerCounts, type MarkerKey, type RedisStore } from '#redis';
import type { WriterMetrics } from '#runtime';
import type { Reports } from './report.js';
import { startPosition } from './start-position.js';

export interface WriteFeaturesOptions {
  client: KafkaClient;
  redis: RedisStore;
  reports: Reports;
  prefix: string;
  pipeline: Pipeline;
  partition: number;
  metrics: WriterMetrics;
  now: () => number;
}

const WRITES_PER_BATCH = 500;

/** Where the task stands in Redis. */
interface Position {
  generation: number;
  /** The marker as Redis last said it; null: none yet (then the task stands at the beginning of the log). */
  marker: MarkerCounts | null;
  fromBeginning: boolean;
}

export class WriteFeaturesTask {
  private readonly topics: PipelineTopics;
  private readonly markerKey: MarkerKey;
  private readonly toWrite: ReturnType<typeof featureWritesOf>;
  private position: Position | null = null;

  constructor(private readonly options: WriteFeaturesOptions) {
    const { prefix, pipeline, partition } = options;
    this.topics = pipelineTopics(prefix, pipeline.name);
    this.markerKey = { prefix, pipeline: pipeline.name, partition };
    this.toWrite = featureWritesOf(pipeline);
  }

  /** The lower of marker and committed offset; the beginning when Redis does not know this log. */
  async acquire(ctx: TaskContext): Promise<bigint> {
    this.position = null;
    const { client, redis, prefix, pipeline, partition } = this.options;
    const generation = await readGeneration(client, this.topics.uploads);
    const marker = await redis.readMarker(this.markerKey);
    const log = (await client.offsets(this.topics.features)).find((one) => one.partition === partition)!;
    const groupId = groupIds.writer(prefix, pipeline.name);
    const committed = (await client.committedOffsets(groupId, this.topics.features)).get(partition);
    ctx.assertOwned();
    const start = startPosition({ generation, marker, log, committed });
    this.position = { generation, marker, fromBeginning: start.fromBeginning };
    return start.next;
  }

  drop(): void {
    this.position = null;
  }

  /** Everything up to the batch's end into Redis, then the group's offset. */
  async process(batch: TaskBatch, ctx: TaskContext): Promise<void> {
    let writes: FeatureWrite[] = [];
    const nowMs = this.options.now();
    for (const record of batch.records) {
      const key = record.key!.toString();
      this.assertGeneration(decodeFeaturesReset(key, record.value));
      const end = decodeEndOfFeatures(key, record.value);
      if (end) {
        await this.flush(writes, record.offset, ctx);
        writes = [];
        await this.passEnd(end, record, ctx);
      } else if (!key.startsWith('\u0000')) {
        const write = this.toWrite(
          {
            key,
            record: parse(record),
            retractedView: record.headers[RETRACTED_VIEW]?.toString() ?? null,
            offset: record.offset,
            timestampMs: record.timestampMs,
          },
          nowMs,
        );
        if (write) writes.push(write);
        if (writes.length >= WRITES_PER_BATCH) {
          await this.flush(writes, record.offset + 1n, ctx);
          writes = [];
        }
      }
    }
    await this.flush(writes, batch.next, ctx);
    await ctx.commitOffset(batch.next);
  }

  /** An idle writer looks at its marker: a Redis that lost its data is refilled without waiting for new features. */
  async tick(): Promise<void> {
    const { position } = this;
    if (!position) return;
    const found = await this.options.redis.readMarker(this.markerKey);
    const expected = position.marker;
    const same = found?.generation === expected?.generation && found?.offset === expected?.offset;
    if (!same) throw markerMoved();
  }

  /** A task has begun a new generation: the writer begins anew under it, too. */
  private assertGeneration(generation: number | null): void {
    if (generation === null || generation <= this.held().generation) return;
    throw new KafkaError('generation_moved', 'the pipeline was reset: the writer is acquired again and begins anew', {
      retriable: true,
    });
  }

  private held(): Position {
    if (this.position) return this.position;
    throw new KafkaError('task_lost', 'the task has no position: acquire it first', { retriable: true });
  }

  private move(nextOffset: bigint) {
    const { generation, marker, fromBeginning } = this.held();
    return { marker: this.markerKey, generation, expected: marker, fromBeginning, nextOffset };
  }

  private async flush(writes: readonly FeatureWrite[], nextOffset: bigint, ctx: TaskContext): Promise<void> {
    if (writes.length === 0) return;
    ctx.assertOwned();
    const startedAt = performance.now();
    const result = await this.options.redis.upsertFeatures({ ...this.move(nextOffset), writes });
    if (result.outcome === 'moved') throw markerMoved();
    this.position = { ...this.held(), marker: result.marker, fromBeginning: false };
    const { metrics, pipeline } = this.options;
    for (const status of result.statuses) metrics.features.inc({ pipeline: pipeline.name, status });
    metrics.batchSeconds.observe({ pipeline: pipeline.name }, (performance.now() - startedAt) / 1000);
    ctx.advance(nextOffset);
  }

  /** Marker and offset pass an end-of-upload record only after Kafka has acknowledged its report. */
  private async passEnd(end: EndOfFeatures, record: KafkaRecord, ctx: TaskContext): Promise<void> {
    const { fromBeginning, generation } = this.held();
    const next = record.offset + 1n;
    const known = this.held().marker;
    if (!fromBeginning && known && known.offset >= next) return;
    ctx.assertOwned();
    // Counts and failed keys since the last end stand in Redis: a writer that died in between loses none.
    const marker = await this.options.redis.readMarker(this.markerKey);
    if (!fromBeginning && (marker?.offset !== known?.offset || marker?.generation !== generation)) throw markerMoved();
    await this.options.reports.send(this.options.pipeline.name, end, fromBeginning ? null : marker, record.timestampMs);
    const result = await this.options.redis.passEndOfUpload(this.move(next));
    if (result.outcome === 'moved') throw markerMoved();
    if (result.outcome === 'passed') this.position = { generation, marker: result.marker, fromBeginning: false };
    ctx.advance(next);
  }
}

function parse(record: KafkaRecord): FeatureRecord | null {
  return record.value === null ? null : (JSON.parse(record.value.toString()) as FeatureRecord);
}

/** Another writer has this partition, or Redis lost its data: acquire again and look. */
function markerMoved(): KafkaError {
  return new KafkaError('marker_moved', 'the marker in Redis is not the one this writer left: acquire again', {
    retriable: true,
  });
}
