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
import { KafkaError, type KafkaRecord, type OutRecord, type TaskBatch, type TaskContext } from '#kafka';
import { fingerprint, GroupBy, laterOf, parseChangelogKey, type EntryChange } from '#windowing';
import { type Closing, type MergeOffsetRecord } from './changelog-records.js';
import { clearViews } from './clear-views.js';
import { closeAllButLast } from './close-in-parts.js';
import { foreignRecord } from './input-errors.js';
import { Sources } from './sources.js';
import { beganAnew, definitionsOf, generationMoved, goesOn, retracts, sameViews } from './pipeline-change.js';
import { TaskSession, type TaskOptions, type TaskPlace } from './task-session.js';
import { decodeVersion, viewVersions, type ViewVersion } from './view-versions.js';

const STAGE = 'partials';

/** What the task holds between two transactions; all of it can be made again from Kafka. */
interface State {
  session: TaskSession;
  groupBy: GroupBy;
  next: bigint;
  sources: Sources;
  began: MergeOffsetRecord['began'];
}

export class MergeTask {
  private readonly topics: PipelineTopics;
  private readonly pipeline: Pipeline;
  private readonly fingerprint: MergeOffsetRecord['fingerprint'];
  private readonly definitions: View[];
  private readonly versions: ReadonlyMap<string, ViewVersion>;
  private readonly place: TaskPlace;
  private state: State | null = null;

  constructor(private readonly options: TaskOptions) {
    const { client, prefix, pipeline, partition, partitions, metrics, share } = options;
    this.topics = pipelineTopics(prefix, pipeline.name);
    this.fingerprint = fingerprint(pipeline, partitions);
    this.definitions = definitionsOf(pipeline);
    this.versions = viewVersions(this.fingerprint, {});
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
      const sources = Sources.restored(current.sources, partitions);
      this.state = { session, groupBy, next, sources, began: current.began };
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
      began: {},
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
        if (contribution === null) continue;
        if (beganAnew(contribution.view, state.began, contribution.began)) {
          if (at > from) break;
          await this.beginAnew(contribution.began, ctx);
          return from;
        }
        step.applyContribution(contribution);
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
    this.tellBlocked(this.held().sources);
    return at;
  }

  /**
   * Views that were away from the pipeline file begin anew: what is left of before is taken back. Whoever tells of it first
   * (a source, or the last source's control record), the contributions of before are void from then on.
   */
  private async beginAnew(began: MergeOffsetRecord['began'], ctx: TaskContext): Promise<void> {
    const { session, next, sources, began: known } = this.held();
    const offsetRecord = this.recordOf({ next, sources, closing: null });
    const isGone = (view: string) => beganAnew(view, known, began);
    const stay = { offsetRecord, next };
    await clearViews(session, { isGone, retracts: isGone, before: this.definitions, stay }, ctx);
    const begun = { ...offsetRecord, began: { ...known, ...began } };
    await session.transact({ changes: [], after: [], offsetRecord: begun, next }, ctx);
    await this.acquire(ctx);
  }

  /** The last source has sent it: what is due goes out in parts, the last one with the control record's effects. */
  private async applyControl(control: SourceControl, after: bigint, ctx: TaskContext): Promise<void> {
    const began = this.beganBy(control);
    if (began !== null) await this.beginAnew(began, ctx);
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

  /** Of a change to a file with views of ours that begin anew; else null. */
  private beganBy({ change }: SourceControl): MergeOffsetRecord['began'] | null {
    const again = this.pipeline.views.flatMap(({ name }) => {
      const isOurs = change !== undefined && goesOn(name, this.fingerprint, change);
      return isOurs && beganAnew(name, this.held().began, change.began) ? [[name, change.began[name]!] as const] : [];
    });
    return again.length === 0 ? null : Object.fromEntries(again);
  }

  /** Null for one that is void: of before a reset, of another definition of its view, or of before that was away. */
  private contributionOf(
    record: KafkaRecord,
  ): (Contribution & Pick<MergeOffsetRecord, 'began'> & { view: string }) | null {
    const contribution = decodeContribution(record);
    if (contribution === null)
      throw foreignRecord(
        `${this.topics.partials}/${this.options.partition}`,
        record.offset,
        'neither a contribution nor a control record',
      );
    const { session, began } = this.held();
    if (contribution.generation > session.generation) throw generationMoved();
    const { view } = parseChangelogKey(contribution.key);
    const version = decodeVersion(contribution.version);
    const isVoid = contribution.generation < session.generation || version.began < (began[view] ?? 0);
    if (isVoid || this.versions.get(view)?.definition !== version.definition) return null;
    return { ...contribution, view, began: { [view]: version.began } };
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
    const { session } = this.held();
    const offsetRecord = this.recordOf(step);
    await session.transact({ changes: step.changes, after: step.after, offsetRecord, next: step.next }, ctx);
    this.held().next = step.next;
  }

  private recordOf(step: {
    next: bigint;
    sources: Sources;
    closing: Closing | null;
    streamTime?: number | null;
  }): MergeOffsetRecord {
    const { session, groupBy, began } = this.held();
    return {
      version: 1,
      next: String(step.next),
      stream_time: laterOf(groupBy.streamTime, step.streamTime ?? null),
      generation: session.generation,
      fingerprint: this.fingerprint,
      definitions: this.definitions,
      began,
      sources: step.sources.toJSON(),
      closing: step.closing,
    };
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
