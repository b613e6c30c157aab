// What each task of the aggregator stands on, whatever it reads: one input partition, one changelog partition, one
// transactional producer. Opening fences every earlier owner; all that the task writes goes out in transactions whose
// last record is the offset record. Any error means: close the session and open another.
import { readGeneration, type KafkaClient, type OutRecord, type TaskContext, type TransactionalProducer } from '#kafka';
import type { AggregatorMetrics } from '#runtime';
import type { EntryChange, GroupBy } from '#windowing';
import { OFFSET_KEY } from './changelog-records.js';
import type { StateShare } from './state-budget.js';

/** Where a task reads and writes, and under which names. */
export interface TaskPlace {
  client: KafkaClient;
  topics: { input: string; changelog: string; features: string; uploads: string };
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
    private readonly place: TaskPlace,
    private readonly producer: TransactionalProducer,
    readonly generation: number,
  ) {}

  /** Fences earlier owners. The fence comes before any read: only then is what is read final. */
  static async open(place: TaskPlace, ctx: TaskContext): Promise<TaskSession> {
    const { client, transactionalId, topics } = place;
    const producer = await client.openTransactional({ transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
    try {
      ctx.assertOwned();
      return new TaskSession(place, producer, await readGeneration(client, topics.uploads));
    } catch (error) {
      await producer.close().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.producer.close().catch(() => undefined);
  }

  /**
   * Reads the changelog into `groupBy`; answers the offset record, null when the task has never committed. `check` may
   * throw at it: its reason comes before that of an entry which does not fit the pipeline file.
   */
  async restore<Offset>(groupBy: GroupBy, ctx: TaskContext, check: (offset: Offset) => void): Promise<Offset | null> {
    const { client, topics, partition, share } = this.place;
    const found: { offset: Offset | null; unreadable: unknown } = { offset: null, unreadable: null };
    await client.readPartition({
      topic: topics.changelog,
      partition,
      signal: ctx.signal,
      onProgress: (progress) => ctx.restoring(progress),
      onRecord: ({ key, value }) => {
        const name = key!.toString();
        if (name === OFFSET_KEY) found.offset = JSON.parse(value!.toString()) as Offset;
        else if (found.unreadable === null) found.unreadable = tryRestore(groupBy, share, name, value);
      },
    });
    if (found.offset) check(found.offset);
    if (found.unreadable !== null) throw found.unreadable;
    ctx.assertOwned();
    return found.offset;
  }

  /** The log start of the input: where a task begins that has never committed. */
  async firstOffset(): Promise<bigint> {
    const { client, topics, partition } = this.place;
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

/** The error, or null when the entry was restored: it does not fit the pipeline file, or not into memory. */
function tryRestore(groupBy: GroupBy, share: StateShare, key: string, value: Buffer | null): unknown {
  try {
    groupBy.restore(key, value === null ? null : value.toString());
    share.set(groupBy.bytes);
    share.assertRoom();
    return null;
  } catch (error) {
    return error;
  }
}

function countFeatures(changes: readonly EntryChange[]): number {
  return changes.reduce((count, { feature }) => (feature ? count + 1 : count), 0);
}
