// The aggregator's task for one partition of `partials`: contributions of all rows tasks in, features out, exactly once.
// It drops nothing: lateness was judged where the row lies. What a control record closes waits until every source has
// sent it, behind its contributions. Acquire and transactions as in group-by.task.ts.
import {
  decodeContribution,
  decodeSourceControl,
  encodeEndOfFeatures,
  encodeFeaturesReset,
  groupIds,
  LIMITS,
  pipelineTopics,
  transactionalIds,
  viewsOfStage,
  type Contribution,
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
import { fingerprint, GroupBy, laterOf, parseChangelogKey, type EntryChange } from '#windowing';
import { type Closing, type MergeOffsetRecord } from './changelog-records.js';
import { clearViews } from './clear-views.js';
import { closeAllButLast } from './close-in-parts.js';
import { foreignRecord } from './input-errors.js';
import { Sources } from './sources.js';
import { definitionsOf, generationMoved, goesOn, retracts, sameViews } from './pipeline-change.js';
import type { StateShare } from './state-budget.js';
import { TaskSession, type TaskPlace } from './task-session.js';
import { viewVersions } from './view-versions.js';

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

const STAGE = 'partials';

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
  private readonly definitions: View[];
  private readonly versions: ReadonlyMap<string, string>;
  private readonly place: TaskPlace;
  private state: State | null = null;

  constructor(private readonly options: MergeTaskOptions) {
    const { client, prefix, pipeline, partition, partitions, metrics, share } = options;
    this.topics = pipelineTopics(prefix, pipeline.name);
    this.fingerprint = fingerprint(pipeline, partitions);
    this.definitions = definitionsOf(pipeline);
    this.versions = viewVersions(this.fingerprint);
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
      const { groupBy, offset } = await session.restore<MergeOffsetRecord>(ctx, this.fingerprint, () => {
        return new GroupBy(this.pipeline);
      });
      const { partitions } = this.options;
      const begun = offset === null ? this.firstRecord(session, await session.firstOffset()) : offset;
      const current = offset === null ? begun : await this.bringUpToDate(session, offset, ctx);
      groupBy.advanceStreamTime(current.stream_time);
      const next = BigInt(current.next);
      this.state = { session, groupBy, next, sources: Sources.restored(current.sources, partitions) };
      return next;
    } catch (error) {
      this.options.share.set(0);
      await session.close();
      throw error;
    }
  }

  private firstRecord(session: TaskSession, next: bigint): MergeOffsetRecord {
    return {
      version: 1,
      next: String(next),
      stream_time: null,
      generation: session.generation,
      fingerprint: this.fingerprint,
      definitions: this.definitions,
      sources: [],
      closing: null,
    };
  }

  /**
   * After a reset, or under a changed pipeline file: what views that do not go on have left is taken back at once, since
   * contributions of earlier generations and to other definitions of a view are void wherever they come.
   */
  private async bringUpToDate(
    session: TaskSession,
    offset: MergeOffsetRecord,
    ctx: TaskContext,
  ): Promise<MergeOffsetRecord> {
    const { pipeline, partition } = this.options;
    const isReset = offset.generation < session.generation;
    if (!isReset && sameViews(offset.fingerprint.views, this.fingerprint.views)) return offset;
    const stay = { offsetRecord: offset, next: BigInt(offset.next) };
    const isGone = (view: string) => isReset || !goesOn(view, offset.fingerprint, this.fingerprint);
    const retractsIt = (view: string) => retracts(pipeline, STAGE, view);
    await clearViews(session, { isGone, retracts: retractsIt, before: offset.definitions, stay }, ctx);
    const { fingerprint: views, definitions } = this.firstRecord(session, 0n);
    const start = await session.firstOffset();
    const next = isReset && start > stay.next ? start : stay.next;
    const offsetRecord = isReset ? this.firstRecord(session, next) : { ...offset, fingerprint: views, definitions };
    const told = { topic: this.topics.features, partition, ...encodeFeaturesReset(STAGE, session.generation) };
    await session.transact({ changes: [], after: isReset ? [told] : [], offsetRecord, next }, ctx);
    return offsetRecord;
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
        const contribution = this.contributionOf(record);
        if (contribution !== null) step.applyContribution(contribution);
      } else {
        if (control.generation < state.session.generation) continue;
        if (control.generation > state.session.generation) throw generationMoved();
        if (control.kind === 'reset') continue;
        if (!sources.has(control.source))
          throw foreignRecord(
            `${this.topics.partials}/${this.options.partition}`,
            record.offset,
            `a control record of the unknown source ${control.source}`,
          );
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
    const ends = control.kind === 'end-of-upload' || control.kind === 'cancel-upload';
    const cancelled = control.kind === 'cancel-upload';
    const streamTime = cancelled || control.change ? null : control.streamTime;
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

  /** Null for one that is void. */
  private contributionOf(record: KafkaRecord): Contribution | null {
    const contribution = decodeContribution(record);
    if (contribution === null)
      throw foreignRecord(
        `${this.topics.partials}/${this.options.partition}`,
        record.offset,
        'neither a contribution nor a control record',
      );
    const { generation } = this.held().session;
    if (contribution.generation > generation) throw generationMoved();
    const isVoid = contribution.generation < generation;
    const { view } = parseChangelogKey(contribution.key);
    return isVoid || this.versions.get(view) !== contribution.version ? null : contribution;
  }

  /** Rows are counted, and lateness is judged, by the sources: their own reports say so. */
  private endOfFeatures({ upload, sequence }: SourceControl): OutRecord {
    const { partition } = this.options;
    const record = encodeEndOfFeatures({
      upload,
      sequence,
      stage: STAGE,
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
      definitions: this.definitions,
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
