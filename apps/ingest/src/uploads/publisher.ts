// Fourth station: accepted rows into `rows`, rejected ones into `dead-letter`, progress into `uploads`, all in the same
// transactions of ONE producer per pipeline. After a crash: fence, read `uploads` to its end, go on at `next_row`.
import {
  encodeControl,
  GENERATION_KEY,
  pipelineTopics,
  ROWS_PER_WATERMARK,
  SEQUENCE_KEY,
  transactionalIds,
  type ControlKind,
  PIPELINE_KEY,
  type ActivePipeline,
  type Generation,
  type LastSequence,
  type Pipeline,
  type PipelineTopics,
  type UploadProgress,
} from '#contracts';
import { partitionForKey, type KafkaClient, type OutRecord, type SentRange, type TransactionalProducer } from '#kafka';
import { activePipeline, begunAt, changeControls, keyChange, sameActiveViews } from './pipeline-log.js';
import { readTypedFile, type TypedFrame } from './typed-file.js';

// A transaction holds at most this much work, so that consumers see rows soon and no commit is heavy.
const RECORDS_PER_TRANSACTION = 15_000;
const BYTES_PER_TRANSACTION = 4 << 20;

export interface PublisherOptions {
  client: KafkaClient;
  prefix: string;
  pipeline: Pipeline;
  partitions: number;
  now: () => number;
  /** Told of every committed transaction and the rows in it. */
  onTransaction?: (rows: number) => void;
}

export class Publisher {
  readonly topics: PipelineTopics;
  private producer: TransactionalProducer | null = null;
  private progress = new Map<string, UploadProgress>();
  private lastSequence = 0;
  private lastStreamTime: number | null = null;
  private generation: number | null = null;
  private active: ActivePipeline | null = null;
  private keyChange: string | null = null;
  private forgotten: string[] = [];

  constructor(private readonly options: PublisherOptions) {
    this.topics = pipelineTopics(options.prefix, options.pipeline.name);
  }

  /** Fences every earlier publisher of this pipeline, then learns how far it came. Throws KafkaErrors. */
  async open(): Promise<void> {
    const { client, prefix, pipeline } = this.options;
    await this.close();
    const transactionalId = transactionalIds.publisher(prefix, pipeline.name);
    const producer = await client.openTransactional({ transactionalId, transactionTimeoutMs: 30_000 });
    this.producer = producer;
    this.progress = new Map();
    this.generation = null;
    this.active = null;
    await client.readPartition({
      topic: this.topics.uploads,
      partition: 0,
      onRecord: (record) => this.restore(record.key!.toString(), record.value),
    });
    await this.tellPipeline(producer);
  }

  async close(): Promise<void> {
    const { producer } = this;
    this.producer = null;
    await producer?.close();
  }

  progressOf(run: string): UploadProgress | undefined {
    return this.progress.get(run);
  }

  /** The runs that `uploads` still remembers: those that have ended meanwhile are to be forgotten. */
  knownRuns(): string[] {
    return [...this.progress.keys()];
  }

  /** Largest event time of the uploads that have ended, epoch ms; null before the first. */
  get streamTime(): number | null {
    return this.lastStreamTime;
  }

  nextSequence(): number {
    return this.lastSequence + 1;
  }

  /** The run has ended: its progress is tombstoned with the next transaction. */
  forget(run: string): void {
    if (this.progress.delete(run)) this.forgotten.push(run);
  }

  /**
   * Publishes what is missing of a typed file and its end-of-upload records. `sequence` as from {@link nextSequence}.
   * After an error the publisher must be opened again; what was committed stays and is not repeated.
   */
  async publish(args: {
    run: string;
    typedPath: string;
    sequence: number;
    read: number;
    /** Of the run, ISO. */
    createdAt: string;
    onProgress: (progress: UploadProgress) => void;
  }): Promise<UploadProgress> {
    let progress = this.progress.get(args.run) ?? this.freshProgress(args.sequence);
    if (progress.ended) return progress;
    progress = { ...progress, sequence: args.sequence };
    let batch = new Batch(progress);
    for await (const frames of readTypedFile(args.typedPath, progress.next_row)) {
      for (const frame of frames) {
        batch.add(frame, this.topics, args.run, this.options.partitions);
        if (progress.order === 'event_time' && frame.row % ROWS_PER_WATERMARK === 0) {
          batch.watermark(this.topics, args.run);
        }
        if (batch.records.length < RECORDS_PER_TRANSACTION && batch.bytes < BYTES_PER_TRANSACTION) continue;
        progress = await this.commit(args, batch);
        args.onProgress(progress);
        batch = new Batch(progress);
      }
    }
    batch.end(this.topics, args.run, args.read);
    progress = await this.commit(args, batch);
    args.onProgress(progress);
    return progress;
  }

  /**
   * Tells every partition that a half-published upload is given up: its upload windows are dropped, what else its rows
   * have changed stays. Of an upload that never began, or was told already, there is nothing to tell.
   */
  async abandon(run: string): Promise<void> {
    const progress = this.progress.get(run);
    if (!progress || progress.ended) return;
    const records = controlRecords('cancel-upload', this.topics, run, progress, progress.next_row - 1);
    this.forget(run);
    await this.transact(records, () => []);
  }

  private restore(key: string, value: Buffer | null): void {
    if (value === null) {
      this.progress.delete(key);
      return;
    }
    const json: unknown = JSON.parse(value.toString());
    if (key === PIPELINE_KEY) this.active = json as ActivePipeline;
    else if (key === GENERATION_KEY) this.generation = (json as Generation).generation;
    else if (key === SEQUENCE_KEY) {
      const { sequence, stream_time: streamTime = null } = json as LastSequence;
      this.lastSequence = sequence;
      this.lastStreamTime = streamTime;
    } else this.progress.set(key, json as UploadProgress);
  }

  /** Why nothing may be published under this pipeline file before a reset; null: it may. */
  get refusal(): string | null {
    return this.keyChange;
  }

  /** The views that count now: see ActivePipeline. */
  get since(): ActivePipeline['since'] {
    return this.active?.since ?? {};
  }

  /**
   * A new generation: every task empties its state and begins at `from` (offsets of `rows`, by partition). The caller has
   * made sure that no upload is being published.
   */
  async reset(from: readonly bigint[]): Promise<Generation> {
    const { pipeline, partitions, now } = this.options;
    // Later than any before, whatever the clock says.
    const generation: Generation = { generation: Math.max(now(), this.generation! + 1), from: from.map(String) };
    const sequence = this.lastSequence;
    const active = activePipeline(pipeline, { partitions, before: null, sequence });
    const told = { topics: this.topics, active, sequence, pipeline, ...generation };
    await this.transact(changeControls('reset', told), () => [
      this.uploadsRecord(GENERATION_KEY, generation),
      this.uploadsRecord(PIPELINE_KEY, active),
    ]);
    this.generation = generation.generation;
    this.active = active;
    this.keyChange = null;
    return generation;
  }

  /**
   * The first transaction ever: aggregator and writer are not ready before the generation exists. Later only a pipeline
   * file with other views is told, unless its keys have changed: then nothing is published.
   */
  private async tellPipeline(producer: TransactionalProducer): Promise<void> {
    const { pipeline, partitions, now } = this.options;
    const { active: before, lastSequence: sequence } = this;
    const active = activePipeline(pipeline, { partitions, before, sequence });
    this.keyChange = before === null ? null : keyChange(before, active);
    if (this.keyChange !== null || (before !== null && sameActiveViews(before, active))) return;
    const generation = this.generation ?? now();
    const told = { topics: this.topics, active, sequence, pipeline, generation };
    const transaction = await producer.begin();
    await transaction.send([
      ...(this.generation === null ? [this.uploadsRecord(GENERATION_KEY, { generation } satisfies Generation)] : []),
      this.uploadsRecord(PIPELINE_KEY, active),
      ...(before === null ? [] : changeControls('pipeline-changed', told)),
    ]);
    await transaction.commit();
    this.generation = generation;
    this.active = active;
  }

  private async commit({ run, createdAt }: { run: string; createdAt: string }, batch: Batch): Promise<UploadProgress> {
    const begun = this.active && begunAt(this.active, createdAt);
    const before = this.progress.get(run)?.published ?? 0;
    let progress = batch.progressAfter([], this.topics.deadLetter);
    const streamTime = progress.ended ? later(this.lastStreamTime, progress.stream_time) : this.lastStreamTime;
    await this.transact(batch.records, (sent) => {
      progress = batch.progressAfter(sent, this.topics.deadLetter);
      const last: LastSequence = { sequence: progress.sequence, stream_time: streamTime };
      const records = [this.uploadsRecord(SEQUENCE_KEY, last), this.uploadsRecord(run, progress)];
      return begun ? [...records, this.uploadsRecord(PIPELINE_KEY, begun)] : records;
    });
    this.lastSequence = Math.max(this.lastSequence, progress.sequence);
    this.lastStreamTime = streamTime;
    if (begun) this.active = begun;
    this.progress.set(run, progress);
    this.options.onTransaction?.(progress.published - before);
    return progress;
  }

  /** One transaction: the records, what `uploads` is to say of them, and the tombstones of what was forgotten. */
  private async transact(
    records: readonly OutRecord[],
    progressOf: (sent: readonly SentRange[]) => OutRecord[],
  ): Promise<void> {
    if (!this.producer) throw new Error('publisher is not open: call open() first');
    const { forgotten } = this;
    this.forgotten = [];
    const transaction = await this.producer.begin();
    const sent = await transaction.send(records);
    const tombstones = forgotten.map((ended) => ({
      topic: this.topics.uploads,
      partition: 0,
      key: ended,
      value: null,
    }));
    await transaction.send([...progressOf(sent), ...tombstones]);
    await transaction.commit();
  }

  private uploadsRecord(key: string, value: object): OutRecord {
    return { topic: this.topics.uploads, partition: 0, key, value: JSON.stringify(value) };
  }

  private freshProgress(sequence: number): UploadProgress {
    return {
      next_row: 1,
      published: 0,
      rejected: 0,
      sequence,
      order: this.options.pipeline.order,
      stream_time: null,
      rows_in_partition: Array.from({ length: this.options.partitions }, () => 0),
      ended: false,
      dead_letters: null,
    };
  }
}

/** The records of one transaction and the progress that they make. */
export class Batch {
  readonly records: OutRecord[] = [];
  bytes = 0;
  private readonly progress: UploadProgress;

  constructor(before: UploadProgress) {
    this.progress = { ...before, rows_in_partition: [...before.rows_in_partition] };
  }

  add(frame: TypedFrame, topics: PipelineTopics, run: string, partitions: number): void {
    const { progress } = this;
    progress.next_row = frame.row + 1;
    this.bytes += frame.key.length + frame.value.length;
    if (frame.partition === null) {
      progress.rejected++;
      const partition = partitionForKey(run, partitions);
      this.records.push({ topic: topics.deadLetter, partition, key: run, value: frame.value });
      return;
    }
    progress.published++;
    progress.rows_in_partition[frame.partition]!++;
    if (progress.stream_time === null || frame.time > progress.stream_time) progress.stream_time = frame.time;
    this.records.push({ topic: topics.rows, partition: frame.partition, key: frame.key, value: frame.value });
  }

  /** Behind the same row in every partition, in its transaction: a publisher that goes on after a crash writes the same. */
  watermark(topics: PipelineTopics, run: string): void {
    this.control('watermark', topics, run, this.progress.next_row - 1);
  }

  end(topics: PipelineTopics, run: string, read: number): void {
    this.progress.ended = true;
    this.control('end-of-upload', topics, run, read);
  }

  /** Every partition is told, also one without a row of this upload: windows close everywhere at the same place. */
  private control(kind: ControlKind, topics: PipelineTopics, run: string, row: number): void {
    const { progress } = this;
    this.records.push(...controlRecords(kind, topics, run, progress, row));
  }

  progressAfter(sent: readonly SentRange[], deadLetterTopic: string): UploadProgress {
    const ranges = sent.filter((range) => range.topic === deadLetterTopic);
    if (ranges.length === 0) return this.progress;
    const known = this.progress.dead_letters;
    const last = ranges.at(-1)!;
    return {
      ...this.progress,
      dead_letters: {
        partition: last.partition,
        from: known?.from ?? String(ranges[0]!.baseOffset),
        to: String(last.baseOffset + BigInt(last.count)),
      },
    };
  }
}

/** One control record for each partition of `rows`. */
function controlRecords(
  kind: ControlKind,
  topics: PipelineTopics,
  upload: string,
  progress: UploadProgress,
  row: number,
): OutRecord[] {
  return progress.rows_in_partition.map((rowsInPartition, partition) => {
    const { stream_time: streamTime, published: rowsTotal, sequence } = progress;
    const control = encodeControl({ kind, upload, row, streamTime, rowsInPartition, rowsTotal, sequence });
    return { topic: topics.rows, partition, ...control };
  });
}

function later(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
