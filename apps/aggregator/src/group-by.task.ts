// The aggregator's task for one partition of `rows`: rows in, windows changed, features out, exactly once.
// Acquire: fence, restore the changelog to its end, go on at the offset record. Process: one transaction a step
// (task-session.ts). Any doubt ends in dropping everything that is not in Kafka and acquiring again (libs/kafka does that).
import {
  decodeControl,
  decodeRow,
  encodeEndOfFeatures,
  encodeFeaturesReset,
  groupIds,
  LIMITS,
  pipelineTopics,
  transactionalIds,
  viewsOfStage,
  type ControlRecord,
  type PipelineChange,
  type Pipeline,
  type PipelineTopics,
} from '#contracts';
import { KafkaError, type KafkaRecord, type OutRecord, type TaskBatch, type TaskContext } from '#kafka';
import { fingerprint, GroupBy, laterOf, type EntryChange } from '#windowing';
import { copyUploads, newUpload, type Closing, type OffsetRecord, type OpenUpload } from './changelog-records.js';
import { clearViews } from './clear-views.js';
import { closeAllButLast } from './close-in-parts.js';
import { assertKnownKind, foreignRecord, rowsLost } from './input-errors.js';
import { LateRows } from './late-rows.js';
import {
  assertSuperseded,
  beganAnew,
  definitionsNow,
  definitionsOf,
  generationMoved,
  goesOn,
  retracts,
  sameViews,
} from './pipeline-change.js';
import { PartialsSource, resetRecords } from './partials-source.js';
import { TaskSession, type TaskOptions, type TaskPlace } from './task-session.js';

const STAGE = 'rows';

/** What the task holds between two transactions; all of it can be made again from Kafka. */
interface State {
  session: TaskSession;
  groupBy: GroupBy;
  partials: PartialsSource;
  next: bigint;
  uploads: Map<string, OpenUpload>;
  /** Of the views that count now, and those views: see the offset record. */
  fingerprint: OffsetRecord['fingerprint'];
  definitions: OffsetRecord['definitions'];
  began: OffsetRecord['began'];
}

export class GroupByTask {
  private readonly topics: PipelineTopics;
  private readonly fingerprint: OffsetRecord['fingerprint'];
  private readonly place: TaskPlace;
  private state: State | null = null;

  constructor(private readonly options: TaskOptions) {
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

  /** What it reads, as errors name it. */
  private get input(): string {
    return `${this.topics.rows}/${this.options.partition}`;
  }

  /** Open (view, group, window) entries. */
  get size(): number {
    return this.state?.groupBy.size ?? 0;
  }

  async acquire(ctx: TaskContext): Promise<bigint> {
    await this.drop();
    const session = await TaskSession.open(this.place, ctx);
    try {
      const { groupBy, offset } = await session.restore<OffsetRecord>(ctx, this.fingerprint, (stored) => {
        const active = this.activeViews(stored);
        return new GroupBy({ ...active, views: viewsOfStage(active, 'rows') });
      });
      if (offset !== null && offset.generation < session.generation) {
        const anew = await this.beginAnew(session, offset, ctx);
        this.hold(session, groupBy, anew);
      } else {
        this.hold(session, groupBy, offset ?? this.firstRecord(session, await session.firstOffset()));
      }
      return this.held().next;
    } catch (error) {
      this.options.share.set(0);
      this.state = null;
      await session.close();
      throw error;
    }
  }

  /** The pipeline with the views that count: those whose state goes on; without any state all of them. */
  private activeViews(stored: OffsetRecord['fingerprint'] | null): Pipeline {
    const { pipeline } = this.options;
    if (stored === null) return pipeline;
    return { ...pipeline, views: pipeline.views.filter(({ name }) => goesOn(name, stored, this.fingerprint)) };
  }

  private hold(session: TaskSession, groupBy: GroupBy, offset: OffsetRecord): void {
    const { partition, partitions } = this.options;
    const { generation } = session;
    const { fingerprint: views, began } = offset;
    const partials = new PartialsSource(this.activeViews(views), {
      topics: this.topics,
      partition,
      partitions,
      generation,
      began,
      sends: offset.partials,
    });
    groupBy.advanceStreamTime(offset.stream_time);
    groupBy.beginEpoch(offset.epoch);
    partials.advanceStreamTime(groupBy.streamTime);
    const definitions = definitionsNow(offset, this.fingerprint, this.options.pipeline);
    const uploads = new Map(Object.entries(offset.uploads));
    this.state = {
      session,
      groupBy,
      partials,
      next: BigInt(offset.next),
      uploads,
      fingerprint: views,
      definitions,
      began,
    };
  }

  /** What a task begins with that has never committed in this generation. */
  private firstRecord(session: TaskSession, next: bigint): OffsetRecord {
    const { pipeline } = this.options;
    return {
      version: 1,
      next: String(next),
      stream_time: null,
      epoch: 0,
      generation: session.generation,
      fingerprint: this.fingerprint,
      definitions: definitionsOf(pipeline),
      began: {},
      uploads: {},
      partials: viewsOfStage(pipeline, 'partials').length > 0,
      closing: null,
    };
  }

  /** A reset: all that was is taken back, and the task begins where the new generation says. */
  private async beginAnew(session: TaskSession, offset: OffsetRecord, ctx: TaskContext): Promise<OffsetRecord> {
    const { pipeline, partition } = this.options;
    await clearViews(
      session,
      {
        isGone: () => true,
        retracts: (view) => retracts(pipeline, STAGE, view),
        before: offset.definitions,
        stay: { offsetRecord: offset, next: BigInt(offset.next) },
      },
      ctx,
    );
    const next = await session.firstOffset();
    const offsetRecord = this.firstRecord(session, next);
    const told = { topic: this.topics.features, partition, ...encodeFeaturesReset(STAGE, session.generation) };
    const { partitions } = this.options;
    const source = { topics: this.topics, partition, partitions, generation: session.generation };
    const after = [told, ...resetRecords(pipeline, source)];
    await session.transact({ changes: [], after, offsetRecord, next }, ctx);
    return offsetRecord;
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
        throw foreignRecord(
          this.input,
          record.offset,
          'a record with neither a key nor the header of a control record',
        );
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
    assertKnownKind(this.input, control, after - 1n);
    if (control.change) return this.applyChange(control, control.change, after, ctx);
    const state = this.held();
    const { groupBy } = state;
    const ends = control.kind !== 'watermark';
    const cancelled = control.kind === 'cancel-upload';
    const streamTime = cancelled ? null : control.streamTime;
    const rows = state.uploads.get(control.upload)?.rows ?? 0;
    if (control.kind === 'end-of-upload' && rows !== control.rowsInPartition) {
      throw rowsLost(this.input, control, rows, after - 1n);
    }
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
    const told = [...report, ...(state.partials.sends ? state.partials.control(control) : [])];
    const clock = { streamTime: laterOf(groupBy.streamTime, streamTime), epoch: groupBy.epoch + 1 };
    await this.transact({ ...clock, changes: last.changes, next: after, uploads, closing: null, after: told }, ctx);
    last.commit();
    this.options.share.set(groupBy.bytes);
    groupBy.advanceStreamTime(streamTime);
    groupBy.beginEpoch();
    state.partials.advanceStreamTime(streamTime);
    state.uploads = uploads;
  }

  /** The pipeline file changed, or a reset: the task goes on with other views, or from elsewhere. */
  private async applyChange(
    control: ControlRecord,
    change: PipelineChange,
    after: bigint,
    ctx: TaskContext,
  ): Promise<void> {
    const state = this.held();
    const { session, groupBy, partials, fingerprint: active } = state;
    const { pipeline } = this.options;
    if (change.generation > session.generation) throw generationMoved();
    const offsetRecord = this.recordOf({ ...clockOf(groupBy), next: after, uploads: state.uploads, closing: null });
    // What a replay meets of earlier days has had its effect.
    if (control.kind === 'reset' || change.generation < session.generation) {
      await session.transact({ changes: [], after: [], offsetRecord, next: after }, ctx);
      state.next = after;
      return;
    }
    const told = partials.sends || change.partials ? partials.control(control) : [];
    const begun = { ...offsetRecord, partials: change.partials };
    if (sameViews(change.views, this.fingerprint.views)) {
      const stay = { offsetRecord: { ...offsetRecord, next: String(after - 1n) }, next: after - 1n };
      const { began } = change;
      const isGone = (view: string) => !goesOn(view, active, this.fingerprint) || beganAnew(view, state.began, began);
      const retractsIt = (view: string) => retracts(pipeline, STAGE, view);
      await clearViews(session, { isGone, retracts: retractsIt, before: state.definitions, stay }, ctx);
      Object.assign(begun, { fingerprint: this.fingerprint, definitions: definitionsOf(pipeline), began });
    } else {
      await assertSuperseded(this.options.client, this.topics.uploads, pipeline.name, this.fingerprint);
    }
    await session.transact({ changes: [], after: told, offsetRecord: begun, next: after }, ctx);
    await this.acquire(ctx);
  }

  private endOfFeatures({ upload, sequence }: ControlRecord): OutRecord {
    const { partition } = this.options;
    const counts = this.held().uploads.get(upload) ?? newUpload();
    const record = encodeEndOfFeatures({ upload, sequence, stage: STAGE, partition, ...counts });
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
    const { session } = this.held();
    const offsetRecord = this.recordOf(step);
    await session.transact({ changes: step.changes, after: step.after, offsetRecord, next: step.next }, ctx);
    this.held().next = step.next;
  }

  private recordOf(step: {
    next: bigint;
    uploads: ReadonlyMap<string, OpenUpload>;
    closing: Closing | null;
    streamTime: number | null;
    epoch: number;
  }): OffsetRecord {
    const { session, fingerprint: views, definitions, began, partials } = this.held();
    return {
      version: 1,
      next: String(step.next),
      stream_time: step.streamTime,
      epoch: step.epoch,
      generation: session.generation,
      fingerprint: views,
      definitions,
      began,
      uploads: Object.fromEntries(step.uploads),
      partials: partials.sends,
      closing: step.closing,
    };
  }
}

function clockOf({ streamTime, epoch }: GroupBy): { streamTime: number | null; epoch: number } {
  return { streamTime, epoch };
}
