// Looks at everything that uploads of the pipeline `vendas` have left behind: rows, every feature record, changelog, runs
// and Redis, against a plain computation. It goes on where it stopped, so that one stack may live through many faults.
// A violation is a text; none means exactly once.
import { isDeepStrictEqual } from 'node:util';
import { allTopicSettings, readPipelines, type Run } from '#contracts';
import type { KafkaRecord } from '#kafka';
import { GroupBy } from '#windowing';
import { OFFSET_KEY, type OffsetRecord } from '../../apps/aggregator/src/changelog-records.js';
import type { Features } from './expected.js';
import { FeaturesAudit } from './features-audit.js';
import { RowsAudit } from './rows-audit.js';
import type { SeededUpload } from './seeded-upload.js';
import { sleep, Stack, type StackOptions } from './stack.js';

const FAULT_PIPELINES = 'test/faults/pipelines';
export const PIPELINE = 'vendas';
const HOUR_MS = 3_600_000;
const VIOLATIONS_SHOWN = 20;
const RUNS_LISTED = 100;
const HASHES_AT_ONCE = 5_000;

/** A stack of which the oracle sees every record: compaction leaves what is younger than an hour. */
export async function startAudited(options: Omit<StackOptions, 'pipelinesDir' | 'topics'> = {}): Promise<Stack> {
  const pipelines = readPipelines(FAULT_PIPELINES);
  return Stack.start({
    ...options,
    pipelinesDir: FAULT_PIPELINES,
    topics: (prefix, partitions) =>
      allTopicSettings(prefix, partitions, pipelines.values())
        .filter(({ name }) => name.endsWith('.features'))
        .map((topic) => ({ ...topic, config: { ...topic.config, 'min.compaction.lag.ms': String(HOUR_MS) } })),
  });
}

export class Oracle {
  private readonly rows: RowsAudit;
  private readonly features: FeaturesAudit;
  private readonly positions = new Map<string, bigint>();
  private readonly known = new Set<string>();
  private readonly uncounted = new Set<string>();
  private readonly violations: string[] = [];

  constructor(private readonly stack: Stack) {
    this.rows = new RowsAudit(stack.partitions);
    this.features = new FeaturesAudit(this.rows, stack.partitions);
  }

  /** Tells the oracle what was sent, before anything of it is read. */
  know(run: string, upload: SeededUpload): void {
    this.known.add(run);
    this.rows.know(run, upload);
  }

  /** Redis was emptied under this run: what its reports count begins anew. */
  uncount(run: string): void {
    this.uncounted.add(run);
  }

  /** Everything after the last check, once every known run has ended. */
  async check(): Promise<string[]> {
    await this.follow();
    this.rows.missing(this.complain);
    this.features.missing(this.stack.partitions, this.complain);
    await this.checkEnds();
    await this.checkRuns();
    await this.checkState();
    await this.checkRedis();
    this.rows.forgetUploads();
    return shown(this.violations.splice(0));
  }

  /**
   * Reads the logs on, also while rows flow. Features are read as far as they stood before the rows were, so that the
   * rows behind each are known.
   */
  async follow(): Promise<void> {
    const { client } = this.stack;
    const ends = await client.offsets(this.topics.features);
    for (const { partition } of ends) {
      await this.readOn(this.topics.rows, partition, undefined, (record) => this.rows.read(record, this.complain));
    }
    for (const { partition, end } of ends) {
      await this.readOn(this.topics.features, partition, end, (record) => this.features.read(record, this.complain));
    }
  }

  /** The Redis hashes that must be there, by key: their features and their view. */
  expectedHashes(): Map<string, Record<string, string>> {
    const hashes = new Map<string, Record<string, string>>();
    for (const [city, { run, group }] of this.rows.newest) {
      hashes.set(city, { ...texts(group.features()), _view: `${PIPELINE}/por_upload`, _upload: run });
    }
    for (const [key, series] of this.rows.series) {
      const [view, city, start] = key.split('\u0000') as [string, string, string];
      const name = view === 'total' ? `${view}:${city}` : `${view}:${city}:${start}`;
      hashes.set(name, { ...texts(series.features()), _view: `${PIPELINE}/${view}` });
    }
    return hashes;
  }

  private readonly complain = (what: string): void => void this.violations.push(what);

  private get topics() {
    return this.stack.topics(PIPELINE);
  }

  private async readOn(
    topic: string,
    partition: number,
    to: bigint | undefined,
    onRecord: (record: KafkaRecord) => void,
  ): Promise<void> {
    const name = `${topic}/${partition}`;
    const args = { topic, partition, from: this.positions.get(name) ?? 0n, onRecord };
    const { next } = await this.stack.client.readPartition(to === undefined ? args : { ...args, to });
    this.positions.set(name, next);
  }

  /** Everything was readable to its end: nothing hangs in an open transaction. */
  private async checkEnds(): Promise<void> {
    for (const topic of [this.topics.rows, this.topics.features]) {
      for (const { partition, end } of await this.stack.client.offsets(topic)) {
        const next = this.positions.get(`${topic}/${partition}`)!;
        if (next < end) this.complain(`${topic}/${partition}: readable to ${next}, its end is ${end}`);
      }
    }
  }

  private async checkRuns(): Promise<void> {
    const { body } = await this.stack.request(`/v1/runs?pipeline=${PIPELINE}&limit=${RUNS_LISTED}`);
    const { items } = body as unknown as { items: Run[] };
    // A body that ingest's death cut off is a failed run without effect; the file was sent again.
    const unknown = items.filter(({ id, state }) => !this.known.has(id) && state !== 'failed');
    for (const { id, state } of unknown) this.complain(`run ${id} (${state}) was sent by nobody`);
    for (const { run, upload, late } of this.rows.uploads.values()) {
      const said = items.find(({ id }) => id === run);
      if (said?.state !== 'completed') this.complain(`run ${run} is ${said?.state}: ${JSON.stringify(said?.error)}`);
      else this.checkCounts(said, upload.rows, late);
    }
  }

  private checkCounts(said: Run, rows: number, late: number): void {
    const byView = late > 0 ? { late_by_view: { por_hora: late } } : {};
    const expected = { read: rows, accepted: rows, rejected: 0, published: rows, late, ...byView };
    if (!isDeepStrictEqual(said.rows, expected)) {
      this.complain(`run ${said.id} says ${JSON.stringify(said.rows)}, expected ${JSON.stringify(expected)}`);
    }
    const lateInFeatures = this.features.lateOf.get(said.id);
    if (lateInFeatures !== late) this.complain(`features: ${said.id} says ${lateInFeatures} late rows, not ${late}`);
    const records = this.features.recordsOf.get(said.id);
    if (!this.uncounted.has(said.id) && said.features_written !== records) {
      this.complain(`run ${said.id} says ${said.features_written} features were written, the log has ${records}`);
    }
  }

  /** State that is made anew from the changelog equals what there must be, and its offset record covers the input. */
  private async checkState(): Promise<void> {
    const pipeline = readPipelines(FAULT_PIPELINES).get(PIPELINE)!;
    const open = new Map<string, Features>();
    for (const { partition, end } of await this.stack.client.offsets(this.topics.changelog)) {
      const groupBy = new GroupBy(pipeline);
      const { next, offset } = await this.restore(groupBy, partition);
      if (next < end) this.complain(`changelog/${partition}: readable to ${next}, its end is ${end}`);
      for (const { view, key, window, features } of groupBy.results()) {
        open.set([view, key.cidade, window.start ?? ''].join('\u0000'), features);
      }
      if (offset !== null) await this.checkOffset(offset, partition);
      else this.complain(`changelog/${partition}: there is no offset record`);
    }
    for (const [key, series] of this.rows.series) {
      const held = open.get(key);
      open.delete(key);
      const expected = series.isFinal ? undefined : series.features();
      if (isDeepStrictEqual(held, expected)) continue;
      this.complain(`changelog: ${key} is ${JSON.stringify(held)}, expected ${JSON.stringify(expected)}`);
    }
    for (const key of open.keys()) this.complain(`changelog: ${key} is open and should not be`);
  }

  private async restore(groupBy: GroupBy, partition: number) {
    const found: { offset: OffsetRecord | null } = { offset: null };
    const { next } = await this.stack.client.readPartition({
      topic: this.topics.changelog,
      partition,
      onRecord: ({ key, value }) => {
        const name = key!.toString();
        if (name === OFFSET_KEY) found.offset = JSON.parse(value!.toString()) as OffsetRecord;
        else groupBy.restore(name, value === null ? null : value.toString());
      },
    });
    return { next, offset: found.offset };
  }

  private async checkOffset(offset: OffsetRecord, partition: number): Promise<void> {
    const { stack, topics } = this;
    const { records } = await stack.client.readPartition({
      topic: topics.rows,
      partition,
      from: BigInt(offset.next),
      onRecord: () => undefined,
    });
    if (records > 0) this.complain(`changelog/${partition}: ${records} rows lie behind offset ${offset.next}`);
    if (offset.closing !== null) this.complain(`changelog/${partition}: it is still closing`);
    const openUploads = Object.keys(offset.uploads);
    if (openUploads.length > 0) this.complain(`changelog/${partition}: ${openUploads.join(', ')} have not ended`);
    if (offset.stream_time !== this.rows.streamTimes[partition]) {
      this.complain(
        `changelog/${partition}: stream time ${offset.stream_time}, not ${this.rows.streamTimes[partition]}`,
      );
    }
  }

  private async checkRedis(): Promise<void> {
    for (const problem of await this.redisProblems()) this.complain(problem);
  }

  /** Where Redis is not what it must be. */
  async redisProblems(): Promise<string[]> {
    const { redis } = this.stack;
    const problems: string[] = [];
    const expected = this.expectedHashes();
    const keys = [...expected.keys()];
    for (let from = 0; from < keys.length; from += HASHES_AT_ONCE) {
      const some = keys.slice(from, from + HASHES_AT_ONCE);
      const pipeline = redis.pipeline();
      for (const key of some) pipeline.hgetall(key);
      const replies = (await pipeline.exec()) ?? [];
      some.forEach((key, at) => {
        const hash = (replies[at]?.[1] ?? {}) as Record<string, string>;
        const held = pickFields(hash, expected.get(key)!);
        if (isDeepStrictEqual(held, expected.get(key))) return;
        problems.push(`redis: ${key} is ${JSON.stringify(held)}, expected ${JSON.stringify(expected.get(key))}`);
      });
    }
    const found = (await redis.keys('*')).filter((key) => !key.startsWith('caudal:'));
    for (const key of found) if (!expected.has(key)) problems.push(`redis: nobody wrote ${key}`);
    return problems;
  }

  /** Waits until Redis is what it must be; answers what is wrong when it never is. */
  async redisComes(withinMs: number): Promise<string[]> {
    await this.follow();
    const giveUpAt = performance.now() + withinMs;
    for (;;) {
      const problems = await this.redisProblems();
      if (problems.length === 0 || performance.now() > giveUpAt) return shown(problems);
      await sleep(250);
    }
  }
}

function shown(problems: string[]): string[] {
  const more = problems.length - VIOLATIONS_SHOWN;
  return more > 0 ? [...problems.slice(0, VIOLATIONS_SHOWN), `... and ${more} more`] : problems;
}

/** The expected fields and whatever other feature stands there. */
function pickFields(hash: Record<string, string>, expected: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(hash).filter(([name]) => name in expected || !name.startsWith('_')));
}

/** In Redis all is text, and a null feature is not there. */
function texts(features: Features): Record<string, string> {
  return Object.fromEntries(
    Object.entries(features)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, String(value)]),
  );
}
