// The aggregator's task for one partition of `rows`: rows in, windows changed, features out, exactly once.
// Acquire: fence, restore the changelog to its end, go on at the offset record. Process: one transaction a step
// (task-session.ts). Any doubt ends in dropping everything that is not in Kafka and acquiring again (libs/kafka does that).
import {
  decodeControl,
  decodeRow,
  encodeEndOfFeatures,
  groupIds,
  LIMITS,
  pipelineTopics,
  transactionalIds,
  viewsOfStage,
  type ControlKind,
  type ControlRecord,
  type Pipeline,
  type PipelineTopics,
} from '#contracts';
import {
  KafkaError,
  type KafkaClient,
  type KafkaRecord,
  type OutRecord,
  type TaskBatch,
  type TaskContext,
} from '#kafka';
import type { AggregatorMetrics } from '#runtime';
import { fingerprint, GroupBy, laterOf, type EntryChange } from '#windowing';
import {
  assertSamePipeline,
  copyUploads,
  newUpload,
  type Closing,
  type OffsetRecord,
  type OpenUpload,
} from './changelog-records.js';
import { closeAllButLast } from './close-in-parts.js';
import { LateRows } from './late-rows.js';
import { PartialsSource } from './partials-source.js';
import type { StateShare } from './state-budget.js';
import { TaskSession, type TaskPlace } from './task-session.js';

export interface GroupByTaskOptions {
  client: KafkaClient;
  prefix: string;
  pipeline: Pipeline;
  partition: number;
  partitions: number;
  metrics: AggregatorMetrics;
  /** The task's part of the process' memory. */
  share: StateShare;
}

const STAGE = 'rows';
/** A later version's kind must not be taken for one of these: it could close windows that are to stay open. */
const CONTROL_KINDS: ReadonlySet<string> = new Set<ControlKind>(['end-of-upload', 'cancel-upload', 'watermark']);

/** What the task holds between two transactions; all of it can be made again from Kafka. */
interface State {
  session: TaskSession;
  groupBy: GroupBy;
  partials: PartialsSource;
  next: bigint;
  uploads: Map<string, OpenUpload>;
}

export class GroupByTask {
  private readonly topics: PipelineTopics;
  private readonly fingerprint: OffsetRecord['fingerprint'];
  private readonly place: TaskPlace;
  private state: State | null = null;

  constructor(private readonly options: GroupByTaskOptions) {
    const { client, prefix, pipeline, partition, partitions, metrics, share } = options;
    this.topics = pipelineTopics(prefix, pipeline.name);
    this.fingerprint = fingerprint(pipeline, partitions);
    this.place = {
      client,
      topics: { ...this.topics, input: this.topics.rows },
      partition,
      transactionalId: transactionalIds.rowsTask(prefix, pipeline.name, partition),
      groupId: groupIds.rows(prefix, pipeline.name),
      metrics,
      pipeline: pipeline.name,
      share,
    };
  }

  /** Open (view, group, window) entries. */
  get size(): number {
    return this.state?.groupBy.size ?? 0;
  }

  async acquire(ctx: TaskContext): Promise<bigint> {
    await this.drop();
    const session = await TaskSession.open(this.place, ctx);
    try {
      const { pipeline, partition, partitions } = this.options;
      const groupBy = new GroupBy({ ...pipeline, views: viewsOfStage(pipeline, 'rows') });
      const offset = await session.restore<OffsetRecord>(groupBy, ctx, (stored) =>
        assertSamePipeline(pipeline.name, stored.fingerprint, this.fingerprint),
      );
      const { generation } = session;
      const partials = new PartialsSource(pipeline, { topics: this.topics, partition, partitions, generation });
      groupBy.advanceStreamTime(offset?.stream_time ?? null);
      groupBy.beginEpoch(offset?.epoch ?? 0);
      partials.advanceStreamTime(groupBy.streamTime);
      const next = offset ? BigInt(offset.next) : await session.firstOffset();
      this.state = { session, groupBy, partials, next, uploads: new Map(Object.entries(offset?.uploads ?? {})) };
      return next;
    } catch (error) {
      this.options.share.set(0);
      await session.close();
      throw error;
    }
  }

  async drop(): Promise<void> {
    const { state } = this;
    this.state = null;
    this.options.share.set(0);
    await state?.session.close();
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

  /** Rows from `from` up to a control record, or to the bound of a transaction. Answers where it stopped. */
  private async stepRows(records: readonly KafkaRecord[], from: number, ctx: TaskContext): Promise<number> {
    const state = this.held();
    const { metrics, pipeline, share } = this.options;
    share.assertRoom();
    const startedAt = performance.now();
    const step = state.groupBy.beginStep();
    const contributing = state.partials.beginStep();
    const mostEntries = state.groupBy.entriesPerTransaction;
    const perRow = step.maxRecordsPerRow + contributing.maxRecordsPerRow;
    const uploads = copyUploads(state.uploads);
    const late = new LateRows(this.topics.late);
    let at = from;
    const end = Math.min(records.length, from + LIMITS.stepRows);
    for (; at < end; at++) {
      const record = records[at]!;
      const written = step.records + contributing.records;
      if (record.key === null || written + perRow >= LIMITS.transactionRecords) break;
      if (step.entries >= mostEntries) break;
      const row = decodeRow(record.value!);
      const upload = uploads.get(row.upload) ?? newUpload();
      uploads.set(row.upload, upload);
      upload.rows++;
      const closed = step.applyRow(row);
      const closedElsewhere = contributing.applyRow(row);
      if (closed.length + closedElsewhere.length > 0) late.add(record, row, [...closed, ...closedElsewhere], upload);
    }
    const next = records[at - 1]!.offset + 1n;
    const after = [...late.records, ...state.partials.contributions(contributing)];
    await this.transact(
      { ...clockOf(state.groupBy), changes: step.changes(), next, uploads, closing: null, after },
      ctx,
    );
    step.commit();
    share.set(state.groupBy.bytes);
    state.uploads = uploads;
    metrics.rows.inc({ pipeline: pipeline.name }, at - from);
    for (const [view, rows] of Object.entries(late.counts.late_by_view)) {
      metrics.rowsLate.inc({ pipeline: pipeline.name, view }, rows);
    }
    metrics.stepSeconds.observe({ pipeline: pipeline.name }, (performance.now() - startedAt) / 1000);
    return at;
  }

  /** An upload's end (or a watermark): what is due goes out in parts, the last one with the control record's effects. */
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
    const closing: Closing = { kind: control.kind, upload: control.upload, stream_time: streamTime };
    const limit = groupBy.entriesPerTransaction;
    const last = await closeAllButLast(
      () => groupBy.due({ upload: ends ? control.upload : null, streamTime, limit, cancelled }),
      ({ changes }) => {
        const stay = { ...clockOf(groupBy), next: after - 1n, uploads: state.uploads };
        return this.transact({ ...stay, changes, closing, after: [] }, ctx);
      },
    );
    const uploads = copyUploads(state.uploads);
    if (ends) uploads.delete(control.upload);
    const report = control.kind === 'end-of-upload' ? [this.endOfFeatures(control)] : [];
    const told = [...report, ...state.partials.control(control)];
    const clock = { streamTime: laterOf(groupBy.streamTime, streamTime), epoch: groupBy.epoch + 1 };
    await this.transact({ ...clock, changes: last.changes, next: after, uploads, closing: null, after: told }, ctx);
    last.commit();
    this.options.share.set(groupBy.bytes);
    groupBy.advanceStreamTime(streamTime);
    groupBy.beginEpoch();
    state.partials.advanceStreamTime(streamTime);
    state.uploads = uploads;
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
    const upload = this.held().uploads.get(control.upload) ?? newUpload();
    const record = encodeEndOfFeatures({
      upload: control.upload,
      sequence: control.sequence,
      stage: STAGE,
      partition,
      ...upload,
    });
    return { topic: this.topics.features, partition, ...record };
  }

  private async transact(
    step: {
      changes: readonly EntryChange[];
      next: bigint;
      uploads: ReadonlyMap<string, OpenUpload>;
      closing: Closing | null;
      after: OutRecord[];
      streamTime: number | null;
      epoch: number;
    },
    ctx: TaskContext,
  ): Promise<void> {
    const state = this.held();
    const { session } = state;
    const offsetRecord: OffsetRecord = {
      version: 1,
      next: String(step.next),
      stream_time: step.streamTime,
      epoch: step.epoch,
      generation: session.generation,
      fingerprint: this.fingerprint,
      uploads: Object.fromEntries(step.uploads),
      closing: step.closing,
    };
    await session.transact({ changes: step.changes, after: step.after, offsetRecord, next: step.next }, ctx);
    state.next = step.next;
  }
}

function clockOf({ streamTime, epoch }: GroupBy): { streamTime: number | null; epoch: number } {
  return { streamTime, epoch };
}
