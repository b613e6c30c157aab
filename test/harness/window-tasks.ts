// The real tasks over a Kafka in memory: rows of some uploads with the control records that ingest writes between them, a
// task per partition, faults wherever a plan says, input cut anywhere. What is left behind comes out as plain texts.
import { encodeControl, parseFeatureKey, pipelineTopics, type FeatureRecord, type Pipeline } from '#contracts';
import { KafkaError, partitionForKey, type KafkaRecord, type TaskContext } from '#kafka';
import { AggregatorMetrics } from '#runtime';
import { GroupByTask } from '../../apps/aggregator/src/group-by.task.js';
import { StateBudget } from '../../apps/aggregator/src/state-budget.js';
import { FakeKafka, type FaultPoint } from './fake-kafka.js';
import type { NaiveEpoch, NaiveResult, NaiveRow } from './naive-windows.js';

const PREFIX = 't';
// One for all: each would measure the process, too.
const metrics = new AggregatorMetrics();

export interface WindowRun {
  pipeline: Pipeline;
  partitions: number;
  /** Rows of each upload, in the order of its file. */
  uploads: readonly (readonly NaiveRow[])[];
  /** A watermark behind every so many rows of a file; null: at its end only. */
  watermarkEvery: number | null;
  /** What fails, one after the other, each after so many calls that do not. */
  faults: readonly { point: FaultPoint; skip: number }[];
  /** How many records a batch holds, asked for each. */
  batchRecords: () => number;
}

export interface WindowOutcome extends NaiveResult {
  /** As the end-of-upload records in `features` say, by upload: late rows, and of these by view. */
  counts: Record<string, { late: number; byView: Record<string, number> }>;
}

/** The same uploads as what lies between two control records. */
export function epochsOf({ uploads, watermarkEvery }: Pick<WindowRun, 'uploads' | 'watermarkEvery'>): NaiveEpoch[] {
  const epochs: NaiveEpoch[] = [];
  for (const rows of uploads) {
    const size = watermarkEvery ?? Number.POSITIVE_INFINITY;
    let from = 0;
    for (; from + size <= rows.length; from += size) {
      epochs.push({ rows: rows.slice(from, from + size), streamTimeMs: streamTimeOf(rows.slice(0, from + size)) });
    }
    epochs.push({ rows: rows.slice(from), streamTimeMs: streamTimeOf(rows) });
  }
  return epochs;
}

const streamTimeOf = (rows: readonly NaiveRow[]): number | null =>
  rows.length === 0 ? null : Math.max(...rows.map(({ timeMs }) => timeMs));

/** Throws when two records of one group ever stand side by side that may not, or a fault did not fire that had to. */
export async function runWindows(run: WindowRun): Promise<WindowOutcome> {
  const kafka = new FakeKafka();
  fill(kafka, run);
  const faults = run.faults.map((fault) => ({ ...fault }));
  kafka.onPoint = (point) => {
    const due = faults[0];
    if (due?.point !== point || due.skip-- > 0) return;
    faults.shift();
    throw new KafkaError('kafka_unavailable', 'a fault', { retriable: true });
  };
  for (let partition = 0; partition < run.partitions; partition++) await runTask(kafka, run, partition);
  return outcomeOf(kafka, run);
}

function fill(kafka: FakeKafka, { pipeline, partitions, uploads, watermarkEvery }: WindowRun): void {
  const topics = pipelineTopics(PREFIX, pipeline.name);
  kafka.append({ topic: topics.uploads, partition: 0, key: 'generation', value: '{"generation":1}' });
  uploads.forEach((rows, at) => {
    const inPartition = Array.from({ length: partitions }, () => 0);
    const control = (kind: 'watermark' | 'end-of-upload', row: number) => {
      inPartition.forEach((rowsInPartition, partition) => {
        const streamTime = streamTimeOf(rows.slice(0, row));
        const fields = { upload: `u${at + 1}`, row, streamTime, rowsInPartition, rowsTotal: row, sequence: at + 1 };
        kafka.append({ topic: topics.rows, partition, ...encodeControl({ kind, ...fields }) });
      });
    };
    rows.forEach(({ upload, row, group, timeMs, amount }, n) => {
      const partition = partitionForKey(group, partitions);
      inPartition[partition]!++;
      const value = { city: group, at: '', amount: String(amount), _upload: upload, _row: row, _time: timeMs };
      kafka.append({ topic: topics.rows, partition, key: group, value: JSON.stringify(value) });
      if (watermarkEvery !== null && (n + 1) % watermarkEvery === 0) control('watermark', n + 1);
    });
    control('end-of-upload', rows.length);
  });
}

async function runTask(kafka: FakeKafka, run: WindowRun, partition: number): Promise<void> {
  const { pipeline, partitions } = run;
  const topic = pipelineTopics(PREFIX, pipeline.name).rows;
  const share = new StateBudget(Number.POSITIVE_INFINITY).share('rows');
  const place = { client: kafka.client(), prefix: PREFIX, pipeline, partition, partitions };
  const task = new GroupByTask({ ...place, metrics, share });
  const input = kafka.log(topic, partition);
  for (;;) {
    try {
      let next = await task.acquire(contextOf(topic, partition));
      while (next < BigInt(input.length)) {
        const records = input.slice(Number(next), Number(next) + run.batchRecords());
        const context = { ...contextOf(topic, partition), advance: (to: bigint) => void (next = to) };
        await task.process({ records, next: records.at(-1)!.offset + 1n, highWatermark: 0n }, context);
      }
      await task.drop();
      return;
    } catch (error) {
      await task.drop();
      if (!(error instanceof KafkaError) || !error.retriable) throw error;
    }
  }
}

function contextOf(topic: string, partition: number): TaskContext {
  const nothing = () => undefined;
  const { signal } = new AbortController();
  return {
    topic,
    partition,
    signal,
    assertOwned: nothing,
    advance: nothing,
    commitOffset: async () => undefined,
    restoring: nothing,
  };
}

function outcomeOf(kafka: FakeKafka, { pipeline, partitions }: WindowRun): WindowOutcome {
  const topics = pipelineTopics(PREFIX, pipeline.name);
  const outcome: WindowOutcome = { features: new Map(), late: [], counts: {} };
  for (let partition = 0; partition < partitions; partition++) {
    for (const record of kafka.log(topics.features, partition)) readFeature(record, pipeline, outcome);
    for (const { value } of kafka.log(topics.late, partition)) {
      const { view, window, late_by_ms, _upload, _row } = JSON.parse(value!.toString());
      outcome.late.push(`${_upload}/${_row} ${view} ${window.start}-${window.end} ${late_by_ms}`);
    }
  }
  outcome.late.sort();
  return outcome;
}

function readFeature({ key, value }: KafkaRecord, pipeline: Pipeline, { features, counts }: WindowOutcome): void {
  const parts = parseFeatureKey(key!.toString());
  if (parts === null) {
    const end = JSON.parse(value!.toString());
    const known = (counts[end.upload] ??= { late: 0, byView: {} });
    known.late += end.late;
    for (const [view, rows] of Object.entries<number>(end.late_by_view)) {
      known.byView[view] = (known.byView[view] ?? 0) + rows;
    }
    return;
  }
  const name = `${parts.view} ${parts.group} ${parts.windowStart}`;
  if (value === null) {
    if (!features.delete(name)) throw new Error(`${name} is retracted and was not there`);
    return;
  }
  const { window, features: of, final, upload, stream_time } = JSON.parse(value.toString()) as FeatureRecord;
  features.set(name, JSON.stringify([window.end, of.rows, Number(of.sum), final, upload, stream_time]));
  if (pipeline.views.find(({ name }) => name === parts.view)!.window.type === 'session') assertApart(name, features);
}

/** A merged-away session is retracted before the merged one appears: a reader never sees two open ones that overlap. */
function assertApart(name: string, features: ReadonlyMap<string, string>): void {
  const [view, group, start] = name.split(' ') as [string, string, string];
  const end = JSON.parse(features.get(name)!)[0] as number;
  for (const [other, value] of features) {
    const [otherView, otherGroup, otherStart] = other.split(' ') as [string, string, string];
    const [otherEnd, , , isFinal] = JSON.parse(value) as [number, number, number, boolean];
    if (other === name || otherView !== view || otherGroup !== group || isFinal) continue;
    if (Number(otherStart) < end && Number(start) < otherEnd) {
      throw new Error(`${name} (to ${end}) appears while ${other} is there`);
    }
  }
}

/** What `counts` must be, from the late set. */
export function countsOf(late: readonly string[], uploads: readonly (readonly NaiveRow[])[]): WindowOutcome['counts'] {
  const counts: WindowOutcome['counts'] = {};
  uploads.forEach((_, at) => {
    const own = late.map((text) => text.split(' ')).filter(([row]) => row!.startsWith(`u${at + 1}/`));
    const byView: Record<string, Set<string>> = {};
    for (const [row, view] of own) (byView[view!] ??= new Set()).add(row!);
    counts[`u${at + 1}`] = {
      late: new Set(own.map(([row]) => row)).size,
      byView: Object.fromEntries(Object.entries(byView).map(([view, rows]) => [view, rows.size])),
    };
  });
  return counts;
}
