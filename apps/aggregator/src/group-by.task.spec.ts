// The task against a Kafka in memory: whatever fails, wherever, and however the input is cut into batches, what it has
// committed is what a run without faults commits.
import fc from 'fast-check';
import { encodeControl, LIMITS, parsePipelineFile, pipelineTopics, type FeatureRecord } from '#contracts';
import { KafkaError, type KafkaRecord, type TaskContext } from '#kafka';
import { AggregatorMetrics } from '#runtime';
import { OFFSET_KEY, type OffsetRecord } from './changelog-records.js';
import { FakeKafka, type FaultPoint } from '../../../test/harness/fake-kafka.js';
import { GroupByTask } from './group-by.task.js';
import { StateBudget } from './state-budget.js';

const topics = pipelineTopics('t', 'sales');
const text = `
name: sales
source:
  columns:
    city: { type: string, required: true }
    at: { type: timestamp, required: true }
    amount: { type: decimal }
  event_time: at
  key: [city]
  max_error_fraction: 0
  order: any
views:
  last: { group_by: [city], window: { type: upload }, features: { n: { count: '*' }, sum: { sum: amount } }, redis: { key: '{city}' } }
  total: { group_by: [city], window: { type: all_time }, features: { n: { count: '*' }, sum: { sum: amount } }, redis: { key: 't:{city}' } }
  short:
    group_by: [city]
    window: { type: tumbling, size: 10s, grace: 0s }
    features: { n: { count: '*' }, sum: { sum: amount } }
    redis: { key: 's:{city}:{window_start}' }
checks: []
`;
const pipeline = parsePipelineFile(text, 'sales.yaml');

interface Sale {
  city: string;
  time: number;
  amount: number;
}

/** The rows topic with these uploads, each with its end. */
function fill(kafka: FakeKafka, uploads: Sale[][]): KafkaRecord[] {
  kafka.append({ topic: topics.uploads, partition: 0, key: 'generation', value: '{"generation":1}' });
  const rows = { topic: topics.rows, partition: 0 };
  uploads.forEach((sales, at) => {
    const upload = `u${at}`;
    sales.forEach(({ city, time, amount }, row) => {
      const value = { city, at: '', amount: String(amount), _upload: upload, _row: row + 1, _time: time };
      kafka.append({ ...rows, key: city, value: JSON.stringify(value) });
    });
    const streamTime = sales.length === 0 ? null : Math.max(...sales.map(({ time }) => time));
    const count = sales.length;
    const end = { upload, row: count, streamTime, rowsInPartition: count, rowsTotal: count, sequence: at + 1 };
    kafka.append({ ...rows, ...encodeControl({ kind: 'end-of-upload', ...end }) });
  });
  return kafka.log(topics.rows, 0);
}

const unbounded = () => new StateBudget(Number.POSITIVE_INFINITY).share('rows/0');

function openTask(kafka: FakeKafka, metrics = new AggregatorMetrics(), share = unbounded()): GroupByTask {
  return new GroupByTask({
    client: kafka.client(),
    prefix: 't',
    pipeline,
    partition: 0,
    partitions: 1,
    metrics,
    share,
  });
}

function contextOf(assertOwned: () => void = () => undefined): TaskContext {
  const { signal } = new AbortController();
  return {
    topic: topics.rows,
    partition: 0,
    signal,
    assertOwned,
    restoring: () => undefined,
    advance: () => undefined,
    commitOffset: async () => {},
  };
}

/** Reads to the end as the runner would: a task that fails is dropped and acquired again. */
async function run(kafka: FakeKafka, sizes: () => number, task = openTask(kafka)): Promise<void> {
  const input = kafka.log(topics.rows, 0);
  for (let failures = 0; ; failures++) {
    try {
      let next = await task.acquire(contextOf());
      while (next < BigInt(input.length)) {
        const records = input.slice(Number(next), Number(next) + sizes());
        const context = { ...contextOf(), advance: (to: bigint) => void (next = to) };
        const end = records.at(-1)!.offset + 1n;
        await task.process({ records, next: end, highWatermark: 0n }, context);
        expect(next).toBe(end);
      }
      await task.drop();
      return;
    } catch (error) {
      if (!(error instanceof KafkaError) || failures > 1_000) throw error;
      await task.drop();
    }
  }
}

const valueOf = (record: KafkaRecord): unknown => (record.value === null ? null : JSON.parse(record.value.toString()));
const lastByKey = (log: KafkaRecord[]) => new Map(log.map((record) => [record.key!.toString(), valueOf(record)]));
const isFinal = (record: KafkaRecord) => (valueOf(record) as FeatureRecord | null)?.final === true;
const offsetRecord = (kafka: FakeKafka) => lastByKey(kafka.log(topics.changelog, 0)).get(OFFSET_KEY) as OffsetRecord;

/** Every count of `total` and `short` must rise: a row that counted twice would show here. */
function expectRising(log: KafkaRecord[]): void {
  const counts = new Map<string, number>();
  for (const record of log) {
    const key = record.key!.toString();
    const value = valueOf(record) as FeatureRecord;
    if (value.view === 'last' || key.startsWith('\u0000') || value.final) continue;
    expect(value.features.n).toBeGreaterThan(counts.get(key) ?? 0);
    counts.set(key, value.features.n as number);
  }
}

const sale = fc.record({
  city: fc.constantFrom('a', 'b', 'c'),
  time: fc.integer({ min: 0, max: 60_000 }),
  amount: fc.integer({ min: -9, max: 9 }),
});
const points: FaultPoint[] = ['begin', 'send', 'sendOffsets', 'commit', 'committed'];

describe('GroupByTask', () => {
  it('commits the same whatever fails, and however its input is cut', async () => {
    const uploads = fc.array(fc.array(sale, { maxLength: 30 }), { minLength: 1, maxLength: 4 });
    const faults = fc.array(fc.tuple(fc.constantFrom(...points), fc.integer({ min: 0, max: 8 })), { maxLength: 12 });
    const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 25 }));
    await fc.assert(
      fc.asyncProperty(uploads, faults, sizes, async (files, plan, cuts) => {
        const calm = new FakeKafka();
        fill(calm, files);
        await run(calm, () => 1_000);
        const rough = new FakeKafka();
        fill(rough, files);
        const left = plan.map(([point, skip]) => ({ point, skip }));
        rough.onPoint = (point) => {
          const due = left[0];
          if (due?.point !== point || due.skip-- > 0) return;
          left.shift();
          throw new KafkaError('kafka_unavailable', 'a fault', { retriable: true });
        };
        await run(rough, () => cuts.next().value);
        const [calmLog, roughLog] = [calm.log(topics.features, 0), rough.log(topics.features, 0)];
        expect(lastByKey(roughLog)).toEqual(lastByKey(calmLog));
        expect(roughLog.filter(isFinal).map(valueOf)).toEqual(calmLog.filter(isFinal).map(valueOf));
        expectRising(roughLog);
        expect(lastByKey(rough.log(topics.changelog, 0))).toEqual(lastByKey(calm.log(topics.changelog, 0)));
        expect(offsetRecord(rough).next).toBe(String(rough.log(topics.rows, 0).length));
        expect(rough.openProducers).toBe(0);
      }),
      { numRuns: Number(process.env.CAUDAL_CASES ?? 60) },
    );
  });

  it('goes on in the middle of a closing that a crash has cut off', async () => {
    const kafka = new FakeKafka();
    const windows = 2 * LIMITS.closedPerTransaction + 500;
    const sales = Array.from({ length: windows + 1 }, (_, at) => ({ city: `c${at}`, time: 0, amount: 1 }));
    sales.at(-1)!.time = 100_000;
    fill(kafka, [sales]);
    let crashes = 0;
    kafka.onPoint = (point) => {
      // Behind the first part of what closes: the answer to its commit is lost.
      if (point !== 'committed' || crashes > 0 || offsetRecord(kafka).closing === null) return;
      crashes++;
      expect(offsetRecord(kafka).next).toBe(String(sales.length)); // it stays on the control record
      throw new KafkaError('kafka_unavailable', 'a fault', { retriable: true });
    };
    await run(kafka, () => 50_000);
    expect(crashes).toBe(1);
    const finals = kafka.log(topics.features, 0).filter(isFinal);
    const names = new Set(finals.map((record) => record.key!.toString()));
    expect(finals).toHaveLength(sales.length + windows); // the upload's groups, and the windows that it closes
    expect(names.size).toBe(finals.length);
    expect(offsetRecord(kafka)).toMatchObject({ closing: null, uploads: {}, stream_time: 100_000 });
  });

  it('commits nothing after its partition was lost', async () => {
    const kafka = new FakeKafka();
    fill(kafka, [[{ city: 'a', time: 1, amount: 1 }]]);
    const task = openTask(kafka);
    await task.acquire(contextOf());
    const lost = contextOf(() => {
      throw new KafkaError('task_lost', 'lost', { retriable: true });
    });
    const [row] = kafka.log(topics.rows, 0);
    const batch = { records: [row!], next: 1n, highWatermark: 2n };
    await expect(task.process(batch, lost)).rejects.toMatchObject({ code: 'task_lost' });
    await task.drop();
    expect(kafka.transactions).toBe(0);
    await expect(task.process(batch, contextOf())).rejects.toMatchObject({ code: 'task_lost' });
  });

  it('halts when rows were deleted before it read them', async () => {
    const kafka = new FakeKafka();
    const input = fill(kafka, [[sale1, sale1]]);
    const task = openTask(kafka);
    await task.acquire(contextOf());
    const batch = { records: input.slice(1), next: 3n, highWatermark: 3n };
    await expect(task.process(batch, contextOf())).rejects.toMatchObject({ code: 'input_lost', halt: true });
  });

  it('halts at what only another version can have written', async () => {
    const rows = { topic: topics.rows, partition: 0, key: null };
    const later = { headers: { caudal: 'pause' }, value: '{"upload":"u0"}' };
    for (const record of [later, { value: '{}' }, { value: '{}', headers: { other: 'x' } }]) {
      const kafka = new FakeKafka();
      kafka.append({ topic: topics.uploads, partition: 0, key: 'generation', value: '{"generation":1}' });
      kafka.append({ ...rows, ...record });
      const task = openTask(kafka);
      await task.acquire(contextOf());
      const batch = { records: kafka.log(topics.rows, 0), next: 1n, highWatermark: 1n };
      await expect(task.process(batch, contextOf())).rejects.toMatchObject({ code: 'foreign_record', halt: true });
      expect(kafka.transactions).toBe(0);
    }
  });

  it('says that the key columns changed, and halts', async () => {
    const kafka = new FakeKafka();
    fill(kafka, [[sale1]]);
    await run(kafka, () => 10);
    const other = { ...pipeline, key: ['at'] };
    const metrics = new AggregatorMetrics();
    const task = new GroupByTask({
      client: kafka.client(),
      prefix: 't',
      pipeline: other,
      partition: 0,
      partitions: 1,
      metrics,
      share: unbounded(),
    });
    await expect(task.acquire(contextOf())).rejects.toMatchObject({ code: 'pipeline_changed', halt: true });
    expect(kafka.openProducers).toBe(0);
  });

  it('counts the features that it has committed', async () => {
    const kafka = new FakeKafka();
    fill(kafka, [[sale1, { ...sale1, time: 40_000 }]]);
    const metrics = new AggregatorMetrics();
    await run(kafka, () => 10, openTask(kafka, metrics));
    // total and two windows as they change, then the closed window and the upload's group
    expect(await metrics.text()).toMatch(/caudal_features_emitted_total\{[^}]*pipeline="sales"[^}]*\} 5/);
  });
});

describe('the bound of the state', () => {
  const many = Array.from({ length: 400 }, (_, at) => ({ city: `c${at}`, time: at, amount: 1 }));
  const batch = (records: KafkaRecord[]) => ({ records, next: records.at(-1)!.offset + 1n, highWatermark: 0n });

  it('pauses the task before rows, not before what makes room; the state is let go of', async () => {
    const kafka = new FakeKafka();
    const input = fill(kafka, [many.slice(0, 200), many]);
    const budget = new StateBudget(150_000);
    const share = budget.share('sales/0');
    const task = openTask(kafka, new AggregatorMetrics(), share);
    await task.acquire(contextOf());
    await task.process(batch(input.slice(0, 200)), contextOf());
    expect(budget.usedBytes).toBeGreaterThan(150_000);
    await expect(task.process(batch(input.slice(201, 202)), contextOf())).rejects.toMatchObject({
      code: 'state_full',
      halt: true,
    });
    await task.process(batch(input.slice(200, 201)), contextOf());
    expect(offsetRecord(kafka).uploads).toEqual({});
    await task.drop();
    expect([share.bytes, budget.usedBytes]).toEqual([0, 0]);
  });

  it('holds while state is restored; with a higher one the task goes on where it was', async () => {
    const kafka = new FakeKafka();
    fill(kafka, [many, many]);
    await run(kafka, () => 1_000);
    const whole = lastByKey(kafka.log(topics.features, 0));
    const small = new FakeKafka();
    const input = fill(small, [many, many]);
    const first = openTask(small);
    await first.acquire(contextOf());
    await first.process(batch(input.slice(0, 300)), contextOf());
    await first.drop();
    const budget = new StateBudget(100_000);
    const paused = openTask(small, new AggregatorMetrics(), budget.share('sales/0'));
    await expect(paused.acquire(contextOf())).rejects.toMatchObject({ code: 'state_full', halt: true });
    expect(budget.usedBytes).toBe(0);
    expect(small.openProducers).toBe(0);
    await run(small, () => 100, openTask(small, new AggregatorMetrics(), new StateBudget(10_000_000).share('sales/0')));
    expect(lastByKey(small.log(topics.features, 0))).toEqual(whole);
  });
});

const sale1: Sale = { city: 'a', time: 1, amount: 1 };
