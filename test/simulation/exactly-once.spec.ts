// The real tasks in a simulated Kafka: thousands of histories in which requests and answers are lost or come late,
// processes die, sleep and wake up as zombies, and the group gives their tasks to others, at any await, all from one seed.
// Whatever has happened, what is committed is what a run without faults commits.
//   npm run test:deep -- test/simulation --cases 5000     that many histories
//   npm run test:deep -- test/simulation --seed 42        one history again
import { LIMITS, parsePipelineFile, pipelineTopics, type FeatureRecord } from '#contracts';
import type { KafkaRecord } from '#kafka';
import { AggregatorMetrics } from '#runtime';
import { OFFSET_KEY } from '../../apps/aggregator/src/changelog-records.js';
import { GroupByTask } from '../../apps/aggregator/src/group-by.task.js';
import { MergeTask } from '../../apps/aggregator/src/merge.task.js';
import { StateBudget } from '../../apps/aggregator/src/state-budget.js';
import { Random } from '../harness/seeded-upload.js';
import type { Mutant } from '../harness/simulation/sim-client.js';
import { PREFIX, World, type Happened, type SimRow } from '../harness/simulation/world.js';

const view = (groupBy: string, window: string, redis: string, more = ''): string =>
  `{ group_by: [${groupBy}], window: { ${window} }, features: { n: { count: '*' }, sum: { sum: amount } }, redis: { key: '${redis}' }${more} }`;
const text = `
name: sales
source:
  columns:
    city: { type: string, required: true }
    shop: { type: string, required: true }
    at: { type: timestamp, required: true }
    amount: { type: decimal }
  event_time: at
  key: [city]
  max_error_fraction: 0
  order: any
views:
  last: ${view('city', 'type: upload', '{city}')}
  total: ${view('city', 'type: all_time', 't:{city}')}
  short: ${view('city', 'type: tumbling, size: 10s, grace: 0s', 's:{city}:{window_start}')}
  sliding: ${view('city', 'type: hopping, size: 30s, advance: 10s, grace: 5s', 'h:{city}:{window_start}')}
  visits: ${view('city', 'type: session, gap: 5s, grace: 3s', 'v:{city}:{window_start}')}
  once: ${view('city', 'type: tumbling, size: 20s, grace: 0s', 'o:{city}:{window_start}', ', emit: final')}
  shops: ${view('shop', 'type: all_time', 'p:{shop}')}
  shops_last: ${view('shop', 'type: upload', 'pl:{shop}')}
  shops_short: ${view('shop', 'type: tumbling, size: 10s, grace: 0s', 'ps:{shop}:{window_start}')}
checks: []
`;
const pipeline = parsePipelineFile(text, 'sales.yaml');
const topics = pipelineTopics(PREFIX, 'sales');
const metrics = new AggregatorMetrics();
const PARTITIONS = 2;
const { CAUDAL_CASES, CAUDAL_SEED } = process.env;
const cases = Number(CAUDAL_CASES ?? (CAUDAL_SEED === undefined ? 60 : 1));
const firstSeed = Number(CAUDAL_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** A mutant that is not caught by then would not be caught. */
const MUTANT_SEEDS = 300;

// Small transactions, so that short histories have many of them, and closings in several parts.
Object.assign(LIMITS, { stepRows: 6, closedPerTransaction: 3 });

function uploadsOf(seed: number): SimRow[][] {
  const random = new Random(seed);
  return Array.from({ length: random.between(1, 4) }, (_, upload) =>
    Array.from({ length: random.below(25) }, () => ({
      city: random.pick(['a', 'b', 'c', 'd']),
      shop: random.pick(['x', 'y', 'z']),
      timeMs: upload * 15_000 + random.below(40_000),
      amount: random.between(-9, 9),
    })),
  );
}

async function runWorld(seed: number, how: { isCalm?: boolean; mutant?: Mutant } = {}): Promise<World> {
  const world = new World({
    seed,
    pipeline,
    partitions: PARTITIONS,
    uploads: uploadsOf(seed),
    inputs: [topics.rows, topics.partials],
    isOffsetRecord: ({ key }) => key === OFFSET_KEY,
    openTask: ({ topic, partition }, client) => {
      const options = {
        client,
        prefix: PREFIX,
        pipeline,
        partition,
        partitions: PARTITIONS,
        metrics,
        share: new StateBudget(Infinity).share('simulated'),
      };
      return topic === topics.rows ? new GroupByTask(options) : new MergeTask(options);
    },
    ...how,
  });
  await world.run();
  return world;
}

/** The last value by key; what was deleted is as if it had never been. Offsets differ from run to run. */
function lastValues(log: KafkaRecord[]): Record<string, string> {
  const last = new Map(log.map(({ key, value }) => [key!.toString(), value === null ? null : value.toString()]));
  for (const [key, value] of last) if (value === null) last.delete(key);
  const offset = last.get(OFFSET_KEY);
  if (offset) last.set(OFFSET_KEY, offset.replace(/"next":"\d+"/, ''));
  return Object.fromEntries(last) as Record<string, string>;
}

/** Records that may come once only: finals, and ends of uploads. */
const onceOnly = (log: KafkaRecord[]): string[] =>
  log
    .filter((record) => record.key![0] === 0 || record.value?.includes('"final":true'))
    .map(({ key, value }) => `${key} ${value}`)
    .sort();

/** Every record of `total`, also those replaced since: after n rows it must be the sum of the first n, and n must rise. */
function expectPrefixSums(world: World, partition: number): void {
  const amounts = new Map<string, number[]>();
  for (const { key, value } of world.broker.committed(topics.rows, partition)) {
    if (key === null) continue;
    const list = amounts.get(key.toString()) ?? [];
    amounts.set(key.toString(), list);
    list.push(Number((JSON.parse(value!.toString()) as { amount: string }).amount));
  }
  const reached = new Map<string, number>();
  for (const record of world.broker.committed(topics.features, partition)) {
    if (!record.key!.toString().startsWith('total\u0000')) continue;
    const { key, features } = JSON.parse(record.value!.toString()) as FeatureRecord;
    const city = key.city!;
    const rows = features.n as number;
    if (rows <= (reached.get(city) ?? 0)) throw new Error(`${city} goes from ${reached.get(city)} rows to ${rows}`);
    const sum = amounts
      .get(city)!
      .slice(0, rows)
      .reduce((a, b) => a + b, 0);
    if (features.sum !== String(sum)) throw new Error(`${city} is ${features.sum} after ${rows} rows, not ${sum}`);
    reached.set(city, rows);
  }
  for (const [city, list] of amounts) expect([city, reached.get(city)]).toEqual([city, list.length]);
}

async function expectExactlyOnce(seed: number, mutant?: Mutant): Promise<Happened> {
  const rough = await runWorld(seed, mutant === undefined ? {} : { mutant });
  if (rough.bugs.length > 0) throw rough.bugs[0];
  const calm = await runWorld(seed, { isCalm: true });
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const [found, expected] = [rough, calm].map((world) => world.broker.committed(topics.features, partition));
    expect(lastValues(found!)).toEqual(lastValues(expected!));
    expect(onceOnly(found!)).toEqual(onceOnly(expected!));
    for (const changelog of [topics.changelog, topics.partialsChangelog]) {
      const [state, expectedState] = [rough, calm].map((world) => world.broker.committed(changelog, partition));
      expect(lastValues(state!)).toEqual(lastValues(expectedState!));
    }
    expectPrefixSums(rough, partition);
  }
  return rough.happened;
}

async function withSeed(seed: number, run: () => Promise<Happened>): Promise<Happened> {
  try {
    return await run();
  } catch (error) {
    const replay = `npm run test:deep -- test/simulation --seed ${seed}`;
    if (error instanceof Error) error.message = `with seed ${seed} (again: ${replay}): ${error.message}`;
    throw error;
  }
}

describe('the tasks in a simulated Kafka', () => {
  it(
    'commit every row once, whatever happens',
    async () => {
      const all: Happened = { kills: 0, stops: 0, rebalances: 0, failures: 0 };
      for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
        const happened = await withSeed(seed, () => expectExactlyOnce(seed));
        for (const name of Object.keys(all) as (keyof Happened)[]) all[name] += happened[name];
      }
      // Histories without faults would prove nothing.
      if (cases >= 20) expect(Math.min(...Object.values(all))).toBeGreaterThan(cases);
    },
    120_000 + cases * 200,
  );

  it('have the same history for the same seed', async () => {
    const logOf = async (): Promise<string[]> => {
      const world = await runWorld(firstSeed);
      return world.broker.committed(topics.features, 0).map(({ offset, key, value }) => `${offset} ${key} ${value}`);
    };
    expect(await logOf()).toEqual(await logOf());
  });

  it.each<Mutant>([
    'offset record outside of the transaction',
    'restore before the fence',
    'a transactional id of its own',
    'a producer that is kept after an error',
  ])(
    'are caught when broken: %s',
    async (mutant) => {
      for (let seed = 1; seed <= MUTANT_SEEDS; seed++) {
        try {
          await expectExactlyOnce(seed, mutant);
        } catch (error) {
          process.stdout.write(`${mutant}: history ${seed} says ${(error as Error).message.slice(0, 200)}\n`);
          return;
        }
      }
      throw new Error(`${MUTANT_SEEDS} histories did not catch it`);
    },
    120_000,
  );
});
