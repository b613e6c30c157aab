// The aggregator's task for one partition of `partials`: contributions of all rows tasks in, features out, exactly once.
// It drops nothing: lateness was judged where the row lies. What a control record closes waits until every source has
// sent it, behind its contributions. Acquire and transactions as in group-by.task.ts.
import {
  decodeContribution,
  decodeSourceControl,
  encodeEndOfFeatures,
  groupIds,
  LIMITS,
  pipelineTopics,
  transactionalIds,
  viewsOfStage,
  type Pipeline,
  type PipelineTopics,
  type SourceControl,
  type View,
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
import { assertSamePipeline, type Closing, type MergeOffsetRecord } from './changelog-records.js';
import { closeAllButLast } from './close-in-parts.js';
import { Sources } from './sources.js';
import type { StateShare } from './state-budget.js';
import { TaskSession, type TaskPlace } from './task-session.js';

export interface MergeTaskOptions {
  client: KafkaClient;
  prefix: string;
  pipeline: Pipeline;
  partition: number;
  partitions: number;
  metrics: AggregatorMetrics;
  /** The task's part of the process' memory. */
  share: StateShare;
}

/** What the task holds between two transactions; all of it can be made again from Kafka. */
interface State {
  session: TaskSession;
  groupBy: GroupBy;
  next: bigint;
  sources: Sources;
}

export class MergeTask {
  private readonly topics: PipelineTopics;
  private readonly pipeline: Pipeline;
  private readonly fingerprint: MergeOffsetRecord['fingerprint'];
  private readonly place: TaskPlace;
  private state: State | null = null;

  constructor(private readonly options: MergeTaskOptions) {
    const { client, prefix, pipeline, partition, partitions, metrics, share } = options;
    this.topics = pipelineTopics(prefix, pipeline.name);
    this.fingerprint = fingerprint(pipeline, partitions);
    this.pipeline = { ...pipeline, views: viewsOfStage(pipeline, 'partials').map(mergedView) };
    this.place = {
      client,
      topics: { ...this.topics, input: this.topics.partials, changelog: this.topics.partialsChangelog },
      partition,
      transactionalId: transactionalIds.partialsTask(prefix, pipeline.name, partition),
      groupId: groupIds.partials(prefix, pipeline.name),
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
      const groupBy = new GroupBy(this.pipeline);
      const offset = await session.restore<MergeOffsetRecord>(groupBy, ctx, (stored) =>
        assertSamePipeline(this.pipeline.name, stored.fingerprint, this.fingerprint),
      );
      groupBy.advanceStreamTime(offset?.stream_time ?? null);
      const next = offset ? BigInt(offset.next) : await session.firstOffset();
      this.state = { session, groupBy, next, sources: Sources.restored(offset?.sources, this.options.partitions) };
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

  async process(batch: TaskBatch, ctx: TaskContext): Promise<void> {
    const { records } = batch;
    for (let at = 0; at < records.length;) {
      at = await this.step(records, at, ctx);
      ctx.advance(this.held().next);
    }
  }

  private held(): State {
    if (!this.state)
      throw new KafkaError('task_lost', 'the task holds no state: acquire it first', { retriable: true });
    return this.state;
  }

  /** Up to a control record that takes effect, which is applied alone behind the step, or to a transaction's bound. */
  private async step(records: readonly KafkaRecord[], from: number, ctx: TaskContext): Promise<number> {
    const state = this.held();
    const step = state.groupBy.beginStep();
    const mostEntries = state.groupBy.entriesPerTransaction;
    const sources = state.sources.copy();
    let effective: SourceControl | null = null;
    let at = from;
    const end = Math.min(records.length, from + LIMITS.stepRows);
    for (; at < end && effective === null; at++) {
      const record = records[at]!;
      const control = decodeSourceControl(record);
      if (control === null) {
        if (at === from) this.options.share.assertRoom();
        if (step.records + step.maxRecordsPerRow >= LIMITS.transactionRecords || step.entries >= mostEntries) break;
        step.applyContribution(this.contributionOf(record));
      } else {
        if (!sources.has(control.source)) throw this.foreignRecord(record, `source ${control.source} is unknown`);
        if (sources.waitedFor(control.source)) effective = control;
        else sources.arrived(control.source);
      }
    }
    const stepEnd = effective === null ? at : at - 1;
    if (stepEnd > from) {
      const next = records[stepEnd - 1]!.offset + 1n;
      await this.transact({ changes: step.changes(), next, sources, closing: null, after: [] }, ctx);
      step.commit();
      this.options.share.set(state.groupBy.bytes);
      state.sources = sources;
    }
    if (effective !== null) await this.applyControl(effective, records[at - 1]!.offset + 1n, ctx);
    this.tellBlocked(state.sources);
    return at;
  }

  /** The last source has sent it: what is due goes out in parts, the last one with the control record's effects. */
  private async applyControl(control: SourceControl, after: bigint, ctx: TaskContext): Promise<void> {
    const state = this.held();
    const { groupBy } = state;
    const ends = control.kind !== 'watermark';
    const cancelled = control.kind === 'cancel-upload';
    const streamTime = cancelled ? null : control.streamTime;
    const closing: Closing = { kind: control.kind, upload: control.upload, stream_time: streamTime };
    const limit = groupBy.entriesPerTransaction;
    const last = await closeAllButLast(
      () => groupBy.due({ upload: ends ? control.upload : null, streamTime, limit, cancelled }),
      ({ changes }) => this.transact({ changes, next: after - 1n, sources: state.sources, closing, after: [] }, ctx),
    );
    const sources = state.sources.copy();
    sources.arrived(control.source);
    const report = control.kind === 'end-of-upload' ? [this.endOfFeatures(control)] : [];
    await this.transact({ changes: last.changes, next: after, sources, closing: null, after: report, streamTime }, ctx);
    last.commit();
    this.options.share.set(groupBy.bytes);
    groupBy.advanceStreamTime(streamTime);
    state.sources = sources;
  }

  private contributionOf(record: KafkaRecord) {
    const contribution = decodeContribution(record);
    if (contribution === null) throw this.foreignRecord(record, 'it is neither a contribution nor a control record');
    return contribution;
  }

  private foreignRecord({ offset }: KafkaRecord, what: string): KafkaError {
    return new KafkaError(
      'foreign_record',
      `${this.topics.partials}/${this.options.partition}: offset ${offset} was not written by this version of the ` +
        `aggregator: ${what}. Update all aggregators, or give the pipeline a new name`,
      { retriable: false, halt: true },
    );
  }

  /** Rows are counted, and lateness is judged, by the sources: their own reports say so. */
  private endOfFeatures({ upload, sequence }: SourceControl): OutRecord {
    const { partition } = this.options;
    const record = encodeEndOfFeatures({
      upload,
      sequence,
      stage: 'partials',
      partition,
      rows: 0,
      late: 0,
      late_by_view: {},
    });
    return { topic: this.topics.features, partition, ...record };
  }

  private async transact(
    step: {
      changes: readonly EntryChange[];
      next: bigint;
      sources: Sources;
      closing: Closing | null;
      after: OutRecord[];
      /** What stream time moves to. */
      streamTime?: number | null;
    },
    ctx: TaskContext,
  ): Promise<void> {
    const state = this.held();
    const { session, groupBy } = state;
    const offsetRecord: MergeOffsetRecord = {
      version: 1,
      next: String(step.next),
      stream_time: laterOf(groupBy.streamTime, step.streamTime ?? null),
      generation: session.generation,
      fingerprint: this.fingerprint,
      sources: step.sources.toJSON(),
      closing: step.closing,
    };
    await session.transact({ changes: step.changes, after: step.after, offsetRecord, next: step.next }, ctx);
    state.next = step.next;
  }

  private tellBlocked(sources: Sources): void {
    const { metrics, pipeline, partition } = this.options;
    sources.behind().forEach((controls, source) => {
      metrics.partialsBlockedBy.set({ pipeline: pipeline.name, partition, source }, controls);
    });
  }
}

/**
 * A session closes one gap later here: until then a row whose own session is open, so that it is on time, may lie in one
 * that has ended. What becomes one session then does not depend on which source is slow.
 */
function mergedView(view: View): View {
  const { window } = view;
  if (window.type !== 'session' || window.graceMs === null) return view;
  return { ...view, window: { ...window, graceMs: window.graceMs + window.gapMs } };
}
