// The writer's protocol against a Kafka and a Redis in memory: whatever fails, and whenever Redis is emptied, Redis ends
// at the newest of every key, each record is counted once, and no end of an upload is passed before its report is sent.
import fc from 'fast-check';
import {
  encodeEndOfFeatures,
  featureKey,
  groupIds,
  parsePipelineFile,
  pipelineTopics,
  type EndOfFeatures,
} from '#contracts';
import { KafkaError, type TaskContext } from '#kafka';
import type { Marker } from '#redis';
import { WriterMetrics } from '#runtime';
import { FakeKafka } from '../../../test/harness/fake-kafka.js';
import { FakeRedis } from '../../../test/harness/fake-redis.js';
import type { Reports } from './report.js';
import { WriteFeaturesTask } from './write-features.js';

const topics = pipelineTopics('t', 'sales');
const group = groupIds.writer('t', 'sales');
const text = `
name: sales
source: { columns: { city: { type: string, required: true } }, key: [city], max_error_fraction: 0, order: any }
views:
  total: { group_by: [city], window: { type: all_time }, features: { n: { count: '*' } }, redis: { key: '{city}' } }
checks: []
`;
const pipeline = parsePipelineFile(text, 'sales.yaml');

/** `null` is an end of an upload, a text the city of a feature. */
type Entry = string | null;

class Bench {
  readonly kafka = new FakeKafka();
  readonly redis = new FakeRedis();
  /** The last report of each end-of-upload record, by its sequence: how many were written. */
  readonly reported = new Map<number, number>();
  /** Every report: its marker. */
  readonly markers: (Marker | null)[] = [];
  /** The commit of the group's offset. */
  onCommit: () => void = () => undefined;
  readonly task: WriteFeaturesTask;
  onReport: () => void = () => undefined;
  private ends = 0;

  constructor(entries: readonly Entry[]) {
    this.kafka.append({ topic: topics.uploads, partition: 0, key: 'generation', value: '{"generation":3}' });
    for (const entry of entries) this.append(entry);
    const reports = {
      send: async (_: string, end: EndOfFeatures, marker: Marker | null) => {
        this.onReport();
        this.markers.push(marker);
        this.reported.set(end.sequence, marker?.written ?? 0);
      },
    } as unknown as Reports;
    const [client, redis, metrics] = [this.kafka.client(), this.redis.store(), new WriterMetrics()];
    const options = { client, redis, reports, prefix: 't', pipeline, partition: 0, metrics, now: () => 0 };
    this.task = new WriteFeaturesTask(options);
  }

  append(entry: Entry): void {
    const place = { topic: topics.features, partition: 0 };
    if (entry === null) {
      const sequence = ++this.ends;
      const end = { upload: `u${sequence}`, sequence, stage: 'rows', partition: 0, rows: 0, late: 0, late_by_view: {} };
      return this.kafka.append({ ...place, ...encodeEndOfFeatures(end) });
    }
    const window = { type: 'all_time', start: null, end: null };
    const value = { view: 'total', key: { city: entry }, window, features: { n: 1 }, final: false, upload: 'u' };
    this.kafka.append({ ...place, key: featureKey('total', entry, null), value: JSON.stringify(value) });
  }

  get log() {
    return this.kafka.log(topics.features, 0);
  }

  context(): TaskContext {
    const { signal } = new AbortController();
    const commitOffset = async (next: bigint) => {
      this.onCommit();
      this.kafka.groupOffsets.set(group, next);
    };
    const nothing = () => undefined;
    const hold = { signal, assertOwned: nothing, restoring: nothing, advance: nothing, commitOffset };
    return { topic: topics.features, partition: 0, ...hold };
  }

  /** Reads to the end as the runner would, then ticks; a failure means drop and acquire. */
  async run(size: () => number): Promise<void> {
    for (let failures = 0; failures < 1_000; failures++) {
      try {
        let next = await this.task.acquire(this.context());
        while (next < BigInt(this.log.length)) {
          const records = this.log.slice(Number(next), Number(next) + size());
          next = records.at(-1)!.offset + 1n;
          await this.task.process({ records, next, highWatermark: next }, this.context());
        }
        await this.task.tick();
        return;
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error;
        this.task.drop();
      }
    }
    throw new Error('it never came to the end');
  }
}

const fault = () => new KafkaError('away', 'a fault', { retriable: true });
const entries = fc.array(fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { nil: null }), { maxLength: 40 });
const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 12 }));
const skips = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 15 });

/** Calls `strike` at some of the calls of the function that it answers. */
function every(plan: readonly number[], strike: (nth: number) => void): () => void {
  const left = [...plan];
  return () => {
    if (left.length === 0 || left[0]!-- > 0) return;
    left.shift();
    strike(left.length);
  };
}

function newestOf(log: readonly Entry[]): Map<string, bigint> {
  return new Map(log.flatMap((entry, at) => (entry === null ? [] : [[entry, BigInt(at)] as const])));
}

/** Features between the ends of uploads. */
function countsOf(log: readonly Entry[]): number[] {
  const counts = [0];
  for (const entry of log) {
    if (entry === null) counts.push(0);
    else counts[counts.length - 1]!++;
  }
  return counts.slice(0, -1);
}

describe('WriteFeaturesTask', () => {
  it('counts each record once and reports before it passes, whatever fails', async () => {
    await fc.assert(
      fc.asyncProperty(entries, skips, sizes, async (log, plan, cuts) => {
        const bench = new Bench(log);
        const strike = every(plan, () => {
          throw fault();
        });
        bench.redis.onCommand = strike;
        bench.onReport = strike;
        bench.redis.onPass = (next) => {
          const passed = log.slice(0, Number(next)).filter((entry) => entry === null).length;
          expect(bench.reported.has(passed)).toBe(true);
        };
        await bench.run(() => cuts.next().value);
        expect(bench.redis.revisions).toEqual(newestOf(log));
        expect([...bench.reported.values()]).toEqual(countsOf(log));
        // A writer that died before its first commit goes by the marker alone.
        expect([undefined, BigInt(log.length)]).toContain(bench.kafka.groupOffsets.get(group));
      }),
      { numRuns: Number(process.env.CAUDAL_CASES ?? 200) },
    );
  });

  it('fills a Redis again that was emptied at any moment', async () => {
    await fc.assert(
      fc.asyncProperty(entries, skips, sizes, async (log, plan, cuts) => {
        const bench = new Bench(log);
        bench.redis.onCommand = every(plan, (nth) => {
          bench.redis.flush();
          if (nth % 3 === 0) throw fault();
        });
        await bench.run(() => cuts.next().value);
        bench.redis.onCommand = () => undefined;
        await bench.run(() => cuts.next().value); // the next tick finds what the last moment took
        expect(bench.redis.revisions).toEqual(newestOf(log));
        expect(bench.reported.size).toBe(countsOf(log).length);
      }),
      { numRuns: Number(process.env.CAUDAL_CASES ?? 200) },
    );
  });

  it('notices at its tick that Redis was emptied, and not when nothing has changed', async () => {
    const bench = new Bench(['a', null]);
    await bench.run(() => 10);
    await expect(bench.task.tick()).resolves.toBeUndefined();
    bench.redis.flush();
    await expect(bench.task.tick()).rejects.toMatchObject({ code: 'marker_moved' });
    await bench.run(() => 10);
    expect(bench.redis.revisions).toEqual(new Map([['a', 0n]]));
  });

  it('writes nothing once another writer has moved the marker', async () => {
    const bench = new Bench(['a', 'b', 'c']);
    await bench.task.acquire(bench.context());
    bench.redis.marker = { generation: 3, offset: 2n, written: 2, superseded: 0, failed: 0 };
    const batch = { records: bench.log, next: 3n, highWatermark: 3n };
    await expect(bench.task.process(batch, bench.context())).rejects.toMatchObject({ code: 'marker_moved' });
    expect(bench.redis.revisions.size).toBe(0);
    expect(bench.kafka.groupOffsets.size).toBe(0);
  });

  /** Hands the log over from `from` on. */
  async function handOver(bench: Bench, from: number, to = bench.log.length): Promise<void> {
    const next = BigInt(to);
    await bench.task.process({ records: bench.log.slice(from, to), next, highWatermark: next }, bench.context());
  }

  it('reports nothing when the marker has moved since its last batch', async () => {
    const bench = new Bench(['a', null]);
    await bench.task.acquire(bench.context());
    await handOver(bench, 0, 1);
    bench.redis.flush();
    await expect(handOver(bench, 1)).rejects.toMatchObject({ code: 'marker_moved' });
    expect(bench.markers).toEqual([]);
  });

  it('reports the counts and failed keys that stand in Redis', async () => {
    const bench = new Bench(['a', null]);
    await bench.task.acquire(bench.context());
    await handOver(bench, 0, 1);
    bench.redis.failedKeys = ['key'];
    await handOver(bench, 1);
    expect(bench.markers).toMatchObject([{ written: 1, failedKeys: ['key'] }]);
  });

  it('reports no counts of another generation', async () => {
    const bench = new Bench([null]);
    bench.redis.marker = { generation: 2, offset: 90n, written: 5, superseded: 0, failed: 1 };
    await bench.run(() => 10);
    expect(bench.markers).toEqual([null]);
    expect(bench.redis.marker).toMatchObject({ generation: 3, offset: 1n, written: 0, failed: 0 });
  });

  it('does not report again what lies below the marker', async () => {
    const bench = new Bench(['a', null, 'b']);
    await bench.task.acquire(bench.context());
    await handOver(bench, 0, 1);
    bench.onCommit = () => {
      throw fault();
    };
    await expect(handOver(bench, 1)).rejects.toMatchObject({ code: 'away' });
    bench.onCommit = () => undefined;
    await bench.run(() => 10);
    expect(bench.markers).toMatchObject([{ written: 1 }]);
    expect(bench.redis.marker).toMatchObject({ offset: 3n, written: 1 });
  });
});
