// Pipeline files that change between uploads, for the tasks of both stages against a Kafka in memory: a view that was away
// begins empty, whichever source is slow and whether or not the aggregator ran meanwhile; retractions name the keys of now.
import fc from 'fast-check';
import { encodeControl, parsePipelineFile, pipelineTopics, RETRACTED_VIEW, stagesOf, type Pipeline } from '#contracts';
import { KafkaError, partitionForKey, type TaskContext } from '#kafka';
import { AggregatorMetrics } from '#runtime';
import { fingerprint } from '#windowing';
import { FakeKafka, type FaultPoint } from '../../../test/harness/fake-kafka.js';
import { GroupByTask } from './group-by.task.js';
import { MergeTask } from './merge.task.js';
import { StateBudget } from './state-budget.js';

const PARTITIONS = 2;
const topics = pipelineTopics('t', 'sales');
const CITY = `city: { group_by: [city], window: { type: all_time }, features: { n: { count: '*' } }, redis: { key: 'c:{city}' } }`;
const SHOP = `shop: { group_by: [shop], window: { type: all_time }, features: { n: { count: '*' } }, redis: { key: 's:{shop}' } }`;
const DAYS = `days: { group_by: [shop], window: { type: tumbling, size: 1d, grace: 0s }, features: { n: { count: '*' } }, redis: { key: 'd:{shop}:{window_start}' } }`;

function pipelineOf(...views: string[]): Pipeline {
  const text = `
name: sales
source:
  columns: { city: { type: string, required: true }, shop: { type: string, required: true } }
  key: [city]
views:
  ${views.join('\n  ')}
`;
  return parsePipelineFile(text, 'sales.yaml');
}

/** What ingest writes. `began`: as its `uploads` would say. */
class Rows {
  private sequence = 0;

  constructor(private readonly kafka: FakeKafka) {
    kafka.append({ topic: topics.uploads, partition: 0, key: 'generation', value: '{"generation":1}' });
  }

  /** An upload of a row for each city, all of one shop. */
  upload(cities: readonly string[]): void {
    const upload = `u${++this.sequence}`;
    const counts = Array.from({ length: PARTITIONS }, () => 0);
    cities.forEach((city, row) => {
      const partition = partitionForKey(city, PARTITIONS);
      counts[partition]!++;
      const value = JSON.stringify({ city, shop: 'x', _upload: upload, _row: row + 1, _time: this.sequence });
      this.kafka.append({ topic: topics.rows, partition, key: city, value });
    });
    const told = { upload, row: cities.length, streamTime: this.sequence, rowsTotal: cities.length };
    counts.forEach((rowsInPartition, partition) => {
      const record = encodeControl({ kind: 'end-of-upload', ...told, rowsInPartition, sequence: this.sequence });
      this.kafka.append({ topic: topics.rows, partition, ...record });
    });
  }

  change(pipeline: Pipeline, began: Record<string, number>): void {
    const { key, views } = fingerprint(pipeline, PARTITIONS);
    const active = JSON.stringify({ key, partitions: PARTITIONS, views, since: {}, text: '' });
    this.kafka.append({ topic: topics.uploads, partition: 0, key: 'pipeline', value: active });
    const change = { generation: 1, views, began, partials: stagesOf(pipeline).includes('partials') };
    const nothing = { upload: '', row: 0, streamTime: null, rowsInPartition: 0, rowsTotal: 0 };
    const record = encodeControl({ kind: 'pipeline-changed', ...nothing, sequence: this.sequence, change });
    for (let partition = 0; partition < PARTITIONS; partition++) {
      this.kafka.append({ topic: topics.rows, partition, ...record });
    }
  }
}

/** An aggregator with this file reads all there is, one record and task at a time as `pick` says. */
async function aggregate(kafka: FakeKafka, pipeline: Pipeline, pick: () => number): Promise<void> {
  const readers = Array.from({ length: PARTITIONS }, (_, partition) => {
    const share = new StateBudget(Number.POSITIVE_INFINITY).share('t');
    const metrics = new AggregatorMetrics();
    const options = {
      client: kafka.client(),
      prefix: 't',
      pipeline,
      partition,
      partitions: PARTITIONS,
      metrics,
      share,
    };
    const rows = { task: new GroupByTask(options), input: topics.rows, partition, next: null as bigint | null };
    const merge = { task: new MergeTask(options), input: topics.partials, partition, next: null as bigint | null };
    return stagesOf(pipeline).includes('partials') ? [rows, merge] : [rows];
  }).flat();
  const hasMore = ({ next, input, partition }: (typeof readers)[number]) =>
    next === null || next < BigInt(kafka.log(input, partition).length);
  for (let waiting = readers; waiting.length > 0; waiting = readers.filter(hasMore)) {
    const reader = waiting[pick() % waiting.length]!;
    const advance = (to: bigint) => void (reader.next = to);
    const context = { assertOwned: () => undefined, restoring: () => undefined, advance } as unknown as TaskContext;
    try {
      reader.next ??= await reader.task.acquire(context);
      const at = Number(reader.next);
      const records = kafka.log(reader.input, reader.partition).slice(at, at + 1 + (pick() % 4));
      const next = BigInt(at + records.length);
      if (records.length > 0) await reader.task.process({ records, next, highWatermark: next }, context);
    } catch (error) {
      if (!(error instanceof KafkaError) || !error.retriable) throw error;
      await reader.task.drop();
      reader.next = null;
    }
  }
  await Promise.all(readers.map(({ task }) => task.drop()));
}

/** The last value of every feature of these views, `n` by view; retracted ones are gone. */
function lastCounts(kafka: FakeKafka): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let partition = 0; partition < PARTITIONS; partition++) {
    for (const { key, value } of kafka.log(topics.features, partition)) {
      const name = key!.toString();
      if (name.startsWith('\u0000')) continue;
      if (value === null) delete counts[name];
      else counts[name] = JSON.parse(value.toString()).features.n as number;
    }
  }
  return counts;
}

const cities = ['a', 'b', 'c', 'd', 'e'];
const points: FaultPoint[] = ['begin', 'send', 'sendOffsets', 'commit', 'committed'];

describe('a view that was away from the pipeline file', () => {
  it.each([
    { others: [], name: 'the only one of its stage' },
    { others: [DAYS], name: 'one of several' },
  ])('begins empty: $name', async ({ others }) => {
    const [full, less] = [pipelineOf(CITY, SHOP, ...others), pipelineOf(CITY, ...others)];
    const faults = fc.array(fc.tuple(fc.constantFrom(...points), fc.nat(8)), { maxLength: 6 });
    const property = async (runs: boolean[], plan: [FaultPoint, number][], cuts: IterableIterator<number>) => {
      const kafka = new FakeKafka();
      const left = plan.map(([point, skip]) => ({ point, skip }));
      kafka.onPoint = (point) => {
        if (left[0]?.point !== point || left[0].skip-- > 0) return;
        left.shift();
        throw new KafkaError('kafka_unavailable', 'a fault', { retriable: true });
      };
      const rows = new Rows(kafka);
      const pick = (): number => cuts.next().value;
      rows.upload(cities);
      await aggregate(kafka, full, pick);
      rows.change(less, {});
      rows.upload(cities.slice(1));
      if (runs[0]) await aggregate(kafka, less, pick);
      rows.change(full, { shop: 2 });
      if (runs[1]) await aggregate(kafka, full, pick);
      rows.upload(cities.slice(2));
      await aggregate(kafka, full, pick);
      const counts = lastCounts(kafka);
      expect(counts['shop\u0000x\u0000']).toBe(3);
      expect(counts['city\u0000e\u0000']).toBe(3);
      if (others.length > 0) expect(counts['days\u0000x\u00000']).toBe(12);
      expect(kafka.openProducers).toBe(0);
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
        faults,
        fc.infiniteStream(fc.nat(1_000)),
        (...args) => property(...args),
      ),
      { numRuns: Number(process.env.CAUDAL_CASES ?? 60) },
    );
  });
});

describe('a view with another Redis key', () => {
  it('goes on, and its keys of now are what is retracted when it is removed', async () => {
    const kafka = new FakeKafka();
    const rows = new Rows(kafka);
    rows.upload(cities);
    await aggregate(kafka, pipelineOf(CITY, SHOP), () => 0);
    const moved = pipelineOf(CITY.replace('c:{', 'moved:{'), SHOP.replace('s:{', 'moved-too:{'));
    rows.upload(cities);
    await aggregate(kafka, moved, () => 0);
    expect(lastCounts(kafka)).toMatchObject({ 'city\u0000a\u0000': 2, 'shop\u0000x\u0000': 10 });
    const other = pipelineOf(DAYS);
    const both = { ...other, key: moved.key };
    rows.change(both, { days: 2 });
    await aggregate(kafka, both, () => 0);
    expect(lastCounts(kafka)).toEqual({});
    const templates = new Set<string>();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const { value, headers } of kafka.log(topics.features, partition)) {
        if (value === null) templates.add(JSON.parse(headers[RETRACTED_VIEW]!.toString()).redis.key as string);
      }
    }
    expect([...templates].sort()).toEqual(['moved-too:{shop}', 'moved:{city}']);
  });
});
