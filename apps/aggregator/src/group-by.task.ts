// The aggregator's task for one partition of `rows`: rows in, windows changed, features out, exactly once.
// Acquire: fence, restore the changelog to its end, go on at the offset record. Process: one transaction a step.
// Any doubt ends in dropping everything that is not in Kafka and acquiring again (libs/kafka does that).
import {
  decodeControl,
  decodeRow,
  encodeEndOfFeatures,
  groupIds,
  LIMITS,
  pipelineTopics,
  transactionalIds,
  type ControlKind,
  type ControlRecord,
  type Pipeline,
  type PipelineTopics,
} from '#contracts';
import {
  KafkaError,
  readGeneration,
  type KafkaClient,
  type KafkaRecord,
  type OutRecord,
  type TaskBatch,
  type TaskContext,
  type TransactionalProducer,
} from '#kafka';
import type { AggregatorMetrics } from '#runtime';
import { fingerprint, GroupBy, type EntryChange } from '#windowing';
import {
  assertSamePipeline,
  OFFSET_KEY,
  type Closing,
  type OffsetRecord,
  type OpenUpload,
} from './changelog-records.js';

export interface GroupByTaskOptions {
  client: KafkaClient;
  prefix: string;
  pipeline: Pipeline;
  partition: number;
  partitions: number;
  metrics: AggregatorMetrics;
}

const STAGE = 'rows';
/** A later version's kind must not be taken for one of these: it could close windows that are to stay open. */
const CONTROL_KINDS: ReadonlySet<string> = new Set<ControlKind>(['end-of-upload', 'cancel-upload', 'watermark']);
const TRANSACTION_TIMEOUT_MS = 20_000;

/** What the task holds between two transactions; all of it can be made again from Kafka. */
interface State {
  producer: TransactionalProducer;
  groupBy: GroupBy;
  next: bigint;
  generation: number;
  uploads: Map<string, OpenUpload>;
}

export class GroupByTask {
  private readonly topics: PipelineTopics;
  private readonly fingerprint: OffsetRecord['fingerprint'];
  private readonly groupId: string;
  private state: State | null = null;

  constructor(private readonly options: GroupByTaskOptions) {
    this.topics = pipelineTopics(options.prefix, options.pipeline.name);
    this.fingerprint = fingerprint(options.pipeline, options.partitions);
    this.groupId = groupIds.aggregator(options.prefix, options.pipeline.name);
  }

  /** Open (view, group, window) entries. */
  get size(): number {
    return this.state?.groupBy.size ?? 0;
  }

  async acquire(ctx: TaskContext): Promise<bigint> {
    await this.drop();
    const { client, prefix, pipeline, partition } = this.options;
    const transactionalId = transactionalIds.rowsTask(prefix, pipeline.name, partition);
    // The fence comes before any read: only then is what is read final.
    const producer = await client.openTransactional({ transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
    try {
      ctx.assertOwned();
      const generation = await readGeneration(client, this.topics.uploads);
      const groupBy = new GroupBy(pipeline);
      const offset = await this.restore(groupBy, ctx);
      ctx.assertOwned();
      groupBy.advanceStreamTime(offset?.stream_time ?? null);
      const next = offset ? BigInt(offset.next) : await this.firstOffset();
      this.state = { producer, groupBy, next, generation, uploads: new Map(Object.entries(offset?.uploads ?? {})) };
      return next;
    } catch (error) {
      await producer.close().catch(() => undefined);
      throw error;
    }
  }

  async drop(): Promise<void> {
    const { state } = this;
    this.state = null;
    await state?.producer.close().catch(() => undefined);
  }

  /** Rows in steps of one transaction each; a control record alone, in as many transactions as its windows need. */
  async process(batch: TaskBatch, ctx: TaskContext): Promise<void> {
    const { records } = batch;
    let at = 0;
    while (at < records.length) {
      const record = records[at]!;
      const control = decodeControl(record);
      if (control) {
        await this.applyControl(control, record.offset + 1n, ctx);
        at++;
      } else if (record.key === null) {
        throw this.foreignRecord(record.offset, 'a record with neither a key nor the header of a control record');
      } else {
        at = await this.stepRows(records, at, ctx);
      }
      ctx.advance(this.held().next);
    }
  }

  private held(): State {
    if (!this.state)
      throw new KafkaError('task_lost', 'the task holds no state: acquire it first', { retriable: true });
    return this.state;
  }

  /** Reads the changelog into `groupBy`; answers the offset record, null when the task has never committed. */
  private async restore(groupBy: GroupBy, ctx: TaskContext): Promise<OffsetRecord | null> {
    const { client, partition, pipeline } = this.options;
    const found: { offset: OffsetRecord | null; unreadable: unknown } = { offset: null, unreadable: null };
    await client.readPartition({
      topic: this.topics.changelog,
      partition,
      signal: ctx.signal,
      onRecord: ({ key, value }) => {
        const name = key!.toString();
        if (name === OFFSET_KEY) found.offset = JSON.parse(value!.toString()) as OffsetRecord;
        else if (found.unreadable === null) found.unreadable = tryRestore(groupBy, name, value);
      },
    });
    // First the likely reason: entries of a view that the pipeline file no longer has cannot be read either.
    if (found.offset) assertSamePipeline(pipeline.name, found.offset.fingerprint, this.fingerprint);
    if (found.unreadable !== null) throw found.unreadable;
    return found.offset;
  }

  private async firstOffset(): Promise<bigint> {
    const offsets = await this.options.client.offsets(this.topics.rows);
    return offsets.find((one) => one.partition === this.options.partition)!.start;
  }

  /** Rows from `from` up to a control record, or to the bound of a transaction. Answers where it stopped. */
  private async stepRows(records: readonly KafkaRecord[], from: number, ctx: TaskContext): Promise<number> {
    const state = this.held();
    const { metrics, pipeline } = this.options;
    const startedAt = performance.now();
    const step = state.groupBy.beginStep();
    const uploads = copyUploads(state.uploads);
    let late = 0;
    let at = from;
    const end = Math.min(records.length, from + LIMITS.stepRows);
    for (; at < end; at++) {
      const record = records[at]!;
      if (record.key === null || step.records + step.maxRecordsPerRow >= LIMITS.transactionRecords) break;
      const row = decodeRow(record.value!);
      const upload = uploads.get(row.upload) ?? { rows: 0, late: 0 };
      uploads.set(row.upload, upload);
      upload.rows++;
      if (step.applyRow(row).late) {
        upload.late++;
        late++;
      }
    }
    const next = records[at - 1]!.offset + 1n;
    await this.transact(
      { changes: step.changes(), next, uploads, closing: null, after: [], streamTime: state.groupBy.streamTime },
      ctx,
    );
    step.commit();
    state.uploads = uploads;
    metrics.rows.inc({ pipeline: pipeline.name }, at - from);
    if (late > 0) metrics.rowsLate.inc({ pipeline: pipeline.name }, late);
    metrics.stepSeconds.observe({ pipeline: pipeline.name }, (performance.now() - startedAt) / 1000);
    return at;
  }

  /**
   * An upload's end (or a watermark) may close a million windows: 10,000 a transaction. The input offset stays on the
   * control record until all is out, and what is closed is deleted in the same transaction: what remains is what is due.
   */
  private async applyControl(control: ControlRecord, after: bigint, ctx: TaskContext): Promise<void> {
    if (!CONTROL_KINDS.has(control.kind)) {
      throw this.foreignRecord(after - 1n, `a control record of the unknown kind "${control.kind}"`);
    }
    const state = this.held();
    const { groupBy } = state;
    const ends = control.kind !== 'watermark';
    const cancelled = control.kind === 'cancel-upload';
    const streamTime = cancelled ? null : control.streamTime;
    if (control.kind === 'end-of-upload') this.assertWhole(control, after - 1n);
    const newStreamTime = maximum(groupBy.streamTime, streamTime);
    const closing: Closing = { kind: control.kind, upload: control.upload, stream_time: streamTime };
    for (;;) {
      const due = groupBy.due({
        upload: ends ? control.upload : null,
        streamTime,
        limit: LIMITS.closedPerTransaction,
        cancelled,
      });
      if (!due.done) {
        const stay = {
          changes: due.changes,
          next: after - 1n,
          uploads: state.uploads,
          closing,
          after: [],
          streamTime: groupBy.streamTime,
        };
        await this.transact(stay, ctx);
        due.commit();
        continue;
      }
      const uploads = copyUploads(state.uploads);
      if (ends) uploads.delete(control.upload);
      const report = control.kind === 'end-of-upload' ? [this.endOfFeatures(control)] : [];
      await this.transact(
        { changes: due.changes, next: after, uploads, closing: null, after: report, streamTime: newStreamTime },
        ctx,
      );
      due.commit();
      groupBy.advanceStreamTime(streamTime);
      state.uploads = uploads;
      return;
    }
  }

  /** A row that is missing here was deleted before it was read: results would be wrong without a word. */
  private assertWhole(control: ControlRecord, offset: bigint): void {
    const rows = this.held().uploads.get(control.upload)?.rows ?? 0;
    if (rows === control.rowsInPartition) return;
    throw new KafkaError(
      'input_lost',
      `${this.topics.rows}/${this.options.partition}: upload ${control.upload} has ${control.rowsInPartition} rows in this ` +
        `partition, ${rows} were read before its end at offset ${offset}: rows were deleted before they were read`,
      { retriable: false, halt: true },
    );
  }

  private foreignRecord(offset: bigint, what: string): KafkaError {
    return new KafkaError(
      'foreign_record',
      `${this.topics.rows}/${this.options.partition}: offset ${offset} holds ${what}. Only ingest of this version may ` +
        'write this topic: update the aggregator, or give the pipeline a new name',
      { retriable: false, halt: true },
    );
  }

  private endOfFeatures(control: ControlRecord): OutRecord {
    const { partition } = this.options;
    const upload = this.held().uploads.get(control.upload) ?? { rows: 0, late: 0 };
    const record = encodeEndOfFeatures({
      upload: control.upload,
      sequence: control.sequence,
      stage: STAGE,
      partition,
      rows: upload.rows,
      late: upload.late,
    });
    return { topic: this.topics.features, partition, ...record };
  }

  /** Step 1 begin, 2 changelog and features, 3 the offset record, 4 group offset, 5 commit. An error means: drop. */
  private async transact(
    step: {
      changes: readonly EntryChange[];
      next: bigint;
      uploads: ReadonlyMap<string, OpenUpload>;
      closing: Closing | null;
      after: OutRecord[];
      streamTime: number | null;
    },
    ctx: TaskContext,
  ): Promise<void> {
    const state = this.held();
    const { partition, metrics, pipeline } = this.options;
    ctx.assertOwned();
    const transaction = await state.producer.begin();
    await transaction.send([...this.recordsOf(step.changes), ...step.after]);
    ctx.assertOwned();
    const offset: OffsetRecord = {
      version: 1,
      next: String(step.next),
      stream_time: step.streamTime,
      generation: state.generation,
      fingerprint: this.fingerprint,
      uploads: Object.fromEntries(step.uploads),
      closing: step.closing,
    };
    await transaction.send([
      { topic: this.topics.changelog, partition, key: OFFSET_KEY, value: JSON.stringify(offset) },
    ]);
    await transaction.sendOffsets({ groupId: this.groupId, topic: this.topics.rows, partition, offset: step.next });
    ctx.assertOwned();
    await transaction.commit();
    state.next = step.next;
    metrics.transactions.inc({ pipeline: pipeline.name });
    metrics.features.inc({ pipeline: pipeline.name }, countFeatures(step.changes));
  }

  private recordsOf(changes: readonly EntryChange[]): OutRecord[] {
    const { partition } = this.options;
    const { changelog, features } = this.topics;
    const records: OutRecord[] = [];
    for (const { changelogKey, changelogValue, feature } of changes) {
      records.push({ topic: changelog, partition, key: changelogKey, value: changelogValue });
      if (feature) records.push({ topic: features, partition, key: feature.key, value: feature.value });
    }
    return records;
  }
}

/** The error, or null when the entry was restored. */
function tryRestore(groupBy: GroupBy, key: string, value: Buffer | null): unknown {
  try {
    groupBy.restore(key, value === null ? null : value.toString());
    return null;
  } catch (error) {
    return error;
  }
}

function countFeatures(changes: readonly EntryChange[]): number {
  return changes.reduce((count, { feature }) => (feature ? count + 1 : count), 0);
}

function copyUploads(uploads: ReadonlyMap<string, OpenUpload>): Map<string, OpenUpload> {
  return new Map([...uploads].map(([id, upload]) => [id, { ...upload }]));
}

function maximum(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
