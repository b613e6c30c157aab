// What each task of the aggregator stands on, whatever it reads: one input partition, one changelog partition, one
// transactional producer. Opening fences every earlier owner; all that the task writes goes out in transactions whose
// last record is the offset record. Any error means: close the session and open another.
import { parseFeatureKey, type Generation, type Pipeline } from '#contracts';
import {
  readGenerationRecord,
  type KafkaClient,
  type OutRecord,
  type TaskContext,
  type TransactionalProducer,
} from '#kafka';
import type { AggregatorMetrics } from '#runtime';
import { parseChangelogKey, type EntryChange, type GroupBy } from '#windowing';
import { OFFSET_KEY, type OffsetRecord } from './changelog-records.js';
import { EntryReader } from './entry-reader.js';
import { assertSameKeys, goesOn, sameViews } from './pipeline-change.js';
import type { StateShare } from './state-budget.js';

/** What a task is made of, whichever its stage. */
export interface TaskOptions {
  client: KafkaClient;
  prefix: string;
  pipeline: Pipeline;
  partition: number;
  partitions: number;
  metrics: AggregatorMetrics;
  /** The task's part of the process' memory. */
  share: StateShare;
}

/** Where a task reads and writes, and under which names. */
export interface TaskPlace {
  client: KafkaClient;
  /** `input` is what the task reads: rows or partials. */
  topics: { input: string; rows: string; changelog: string; features: string; uploads: string };
  partition: number;
  transactionalId: string;
  groupId: string;
  metrics: AggregatorMetrics;
  /** Its name, for metrics. */
  pipeline: string;
  /** The task's part of the memory. */
  share: StateShare;
}

/** One transaction: what changed, what follows it, and at last the offset record. */
export interface TaskStep {
  changes: readonly EntryChange[];
  after: readonly OutRecord[];
  offsetRecord: object;
  /** The next offset of the input. */
  next: bigint;
}

const TRANSACTION_TIMEOUT_MS = 20_000;

export class TaskSession {
  private constructor(
    readonly place: TaskPlace,
    private readonly producer: TransactionalProducer,
    /** The generation, and of a reset where it begins. */
    readonly origin: Generation,
  ) {}

  get generation(): number {
    return this.origin.generation;
  }

  /** Fences earlier owners. The fence comes before any read: only then is what is read final. */
  static async open(place: TaskPlace, ctx: TaskContext): Promise<TaskSession> {
    const { client, transactionalId, topics } = place;
    const producer = await client.openTransactional({ transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
    try {
      ctx.assertOwned();
      return new TaskSession(place, producer, await readGenerationRecord(client, topics.uploads));
    } catch (error) {
      await producer.close().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.producer.close().catch(() => undefined);
  }

  /**
   * Reads the changelog. `groupByOf` makes what entries are read into, for a stored fingerprint (null: for the pipeline
   * file's own). Where the two differ it is read twice, since the fingerprint stands at its end: entries of views that do
   * not go on are left out then.
   */
  async restore<Offset extends Pick<OffsetRecord, 'fingerprint' | 'generation'>>(
    ctx: TaskContext,
    own: OffsetRecord['fingerprint'],
    groupByOf: (stored: OffsetRecord['fingerprint'] | null) => GroupBy,
  ): Promise<{ groupBy: GroupBy; offset: Offset | null }> {
    const { share, pipeline } = this.place;
    const all = new EntryReader(groupByOf(null), share);
    const offset = await this.readChangelog<Offset>(ctx, (key, value) => all.read(key, value));
    // A reset empties all of it: nothing of it need be read.
    if (offset !== null && offset.generation < this.generation) {
      share.set(0);
      return { groupBy: groupByOf(null), offset };
    }
    if (offset !== null) assertSameKeys(pipeline, offset.fingerprint, own);
    if (offset === null || sameViews(offset.fingerprint.views, own.views)) {
      all.assertComplete();
      return { groupBy: all.groupBy, offset };
    }
    share.set(0);
    const kept = new EntryReader(groupByOf(offset.fingerprint), share);
    await this.readChangelog<Offset>(ctx, (key, value) => {
      if (goesOn(parseChangelogKey(key).view, offset.fingerprint, own)) kept.read(key, value);
    });
    kept.assertComplete();
    return { groupBy: kept.groupBy, offset };
  }

  /** Hands on every entry; answers the offset record, null when the task has never committed. */
  async readChangelog<Offset>(
    ctx: TaskContext,
    onEntry: (key: string, value: Buffer | null) => void,
  ): Promise<Offset | null> {
    const { client, topics, partition } = this.place;
    let offset: Offset | null = null;
    await client.readPartition({
      topic: topics.changelog,
      partition,
      signal: ctx.signal,
      onProgress: (progress) => ctx.restoring(progress),
      onRecord: ({ key, value }) => {
        const name = key!.toString();
        if (name === OFFSET_KEY) offset = JSON.parse(value!.toString()) as Offset;
        else onEntry(name, value);
      },
    });
    ctx.assertOwned();
    return offset;
  }

  /** Keys of features in this partition that are not retracted. */
  async liveFeatures(ctx: TaskContext): Promise<Set<string>> {
    const { client, topics, partition } = this.place;
    const keys = new Set<string>();
    const onRecord = ({ key, value }: { key: Buffer | null; value: Buffer | null }) => {
      const name = key!.toString();
      if (value === null) keys.delete(name);
      else if (parseFeatureKey(name) !== null) keys.add(name);
    };
    await client.readPartition({ topic: topics.features, partition, signal: ctx.signal, onRecord });
    ctx.assertOwned();
    return keys;
  }

  /** Where a task begins that has never committed: the log start of the input, or (rows) where a reset says. */
  async firstOffset(): Promise<bigint> {
    const { client, topics, partition } = this.place;
    const from = topics.input === topics.rows ? this.origin.from?.[partition] : undefined;
    if (from !== undefined) return BigInt(from);
    const offsets = await client.offsets(topics.input);
    return offsets.find((one) => one.partition === partition)!.start;
  }

  /** Step 1 begin, 2 changelog and features, 3 the offset record, 4 group offset, 5 commit. An error means: drop. */
  async transact(step: TaskStep, ctx: TaskContext): Promise<void> {
    const { topics, partition, groupId, metrics, pipeline } = this.place;
    ctx.assertOwned();
    const transaction = await this.producer.begin();
    await transaction.send([...this.recordsOf(step.changes), ...step.after]);
    ctx.assertOwned();
    const value = JSON.stringify(step.offsetRecord);
    await transaction.send([{ topic: topics.changelog, partition, key: OFFSET_KEY, value }]);
    await transaction.sendOffsets({ groupId, topic: topics.input, partition, offset: step.next });
    ctx.assertOwned();
    await transaction.commit();
    metrics.transactions.inc({ pipeline });
    metrics.features.inc({ pipeline }, countFeatures(step.changes));
  }

  private recordsOf(changes: readonly EntryChange[]): OutRecord[] {
    const { topics, partition } = this.place;
    const records: OutRecord[] = [];
    for (const { changelogKey, changelogValue, feature } of changes) {
      records.push({ topic: topics.changelog, partition, key: changelogKey, value: changelogValue });
      if (feature) records.push({ topic: topics.features, partition, key: feature.key, value: feature.value });
    }
    return records;
  }
}

function countFeatures(changes: readonly EntryChange[]): number {
  return changes.reduce((count, { feature }) => (feature ? count + 1 : count), 0);
}
