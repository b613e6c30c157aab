// One case of `npm run bench -- windows`: rows of one partition in a real Kafka through the aggregator's task, as the
// service runs it (transactions, changelog, features), then its restore. A process of its own, so that memory is its own.
// Prints one line of JSON. `windows-case.mjs KIND GROUPS ROWS SEED`, with --expose-gc.
import { allTopicSettings, encodeControl, groupIds, parsePipelineFile, pipelineTopics, rowEncoder } from '#contracts';
import { KafkaClient } from '#kafka';
import { AggregatorMetrics } from '#runtime';
import { GroupBy } from '#windowing';
import { generator, plain } from './make-rows.mjs';

// By name at run time: what the project's own code imports never lies in dist.
const app = (name) => import(new URL(`../dist/apps/aggregator/src/${name}.js`, import.meta.url).href);
const { GroupByTask } = await app('group-by.task');
const { OFFSET_KEY } = await app('changelog-records');
const { StateBudget } = await app('state-budget');

const [kind, groups, rows, seed] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const WINDOWS = {
  all_time: '{ type: all_time }',
  tumbling: '{ type: tumbling, size: 1d, grace: unlimited }',
  hopping: '{ type: hopping, size: 7d, advance: 1d, grace: unlimited }',
  session: '{ type: session, gap: 1h, grace: 365d }',
};
const WINDOWS_PER_ROW = { all_time: 1, tumbling: 1, hopping: 7, session: 1 };
const DAYS_MS = 30 * 86_400_000;
const CHUNK = 10_000;
const PREFIX = `benchw${process.pid}`;

const pipeline = parsePipelineFile(
  `
name: janelas
source:
  columns:
    cidade: { type: string, required: true }
    dia: { type: timestamp, required: true }
    valor: { type: decimal }
  event_time: dia
views:
  v:
    group_by: [cidade]
    window: ${WINDOWS[kind]}
    features: { n: { count: "*" }, total: { sum: valor }, media: { avg: valor } }
    redis: { key: "{cidade}${kind === 'all_time' ? '' : ':{window_start}'}" }
`,
  'janelas.yaml',
);
const topics = pipelineTopics(PREFIX, pipeline.name);

/** Random groups and times over 30 days. Answers the sum of all values in cents. */
async function fillRows(client) {
  const random = generator(seed);
  const encode = rowEncoder(pipeline);
  const producer = await client.openTransactional({ transactionalId: `${PREFIX}.publisher` });
  let cents = 0n;
  for (let from = 0; from < rows; from += CHUNK) {
    const records = [];
    for (let row = from; row < Math.min(rows, from + CHUNK); row++) {
      const cidade = `Cidade ${Math.floor(random() * groups)}`;
      const value = Math.floor(random() * 1_000_000);
      const time = Date.UTC(2024, 0, 1) + Math.floor(random() * DAYS_MS);
      cents += BigInt(value);
      const cells = [cidade, new Date(time).toISOString(), plain(BigInt(value))];
      records.push({ topic: topics.rows, partition: 0, key: cidade, value: encode(cells, 'u1', row + 1, time) });
    }
    const transaction = await producer.begin();
    await transaction.send(records);
    await transaction.commit();
  }
  const end = { upload: 'u1', row: rows, streamTime: null, rowsInPartition: rows, rowsTotal: rows, sequence: 1 };
  const transaction = await producer.begin();
  await transaction.send([
    { topic: topics.rows, partition: 0, ...encodeControl({ kind: 'end-of-upload', ...end }) },
    { topic: topics.uploads, partition: 0, key: 'generation', value: '{"generation":1}' },
  ]);
  await transaction.commit();
  await producer.close();
  return cents;
}

function usedBytes() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const context = {
  topic: topics.rows,
  partition: 0,
  signal: new AbortController().signal,
  assertOwned: () => undefined,
  restoring: () => undefined,
  advance: () => undefined,
};

/** The aggregator's loop over the log, a fetch of so many records at a time. */
async function aggregate(client, task) {
  const [{ end }] = await client.offsets(topics.rows);
  // The service's task runs in a joined group; here nothing else has waited for a new Kafka's group coordinator.
  await client.committedOffsets(groupIds.rows(PREFIX, pipeline.name), topics.rows);
  let next = await task.acquire(context);
  while (next < end) {
    const records = [];
    const to = next + BigInt(CHUNK) < end ? next + BigInt(CHUNK) : end;
    await client.readPartition({
      topic: topics.rows,
      partition: 0,
      from: next,
      to,
      onRecord: (one) => void records.push(one),
    });
    next = records.length > 0 && records.at(-1).offset + 1n > to ? records.at(-1).offset + 1n : to;
    if (records.length > 0) await task.process({ records, next, highWatermark: end }, context);
  }
}

/** What the changelog holds, beside what the rows come to. */
async function verify(client, cents) {
  const groupBy = new GroupBy(pipeline);
  await client.readPartition({
    topic: topics.changelog,
    partition: 0,
    onRecord: ({ key, value }) => {
      const name = key.toString();
      if (name !== OFFSET_KEY) groupBy.restore(name, value === null ? null : value.toString());
    },
  });
  let counted = 0;
  let total = 0n;
  for (const { features } of groupBy.results()) {
    counted += features.n;
    const [whole, fraction = ''] = features.total.split('.');
    total += BigInt(whole + fraction.padEnd(2, '0'));
  }
  const times = WINDOWS_PER_ROW[kind];
  if (counted !== rows * times || total !== cents * BigInt(times)) {
    throw new Error(
      `${kind}: ${counted} rows, ${total} cents in all windows; expected ${rows * times}, ${cents * BigInt(times)}`,
    );
  }
}

const client = new KafkaClient({ brokers: process.env.KAFKA_BROKERS.split(','), clientId: 'caudal-bench' });
await client.connect();
try {
  await client.ensureTopics(allTopicSettings(PREFIX, 1, [pipeline]));
  const cents = await fillRows(client);
  const budget = new StateBudget(Number.POSITIVE_INFINITY);
  const options = { client, prefix: PREFIX, pipeline, partition: 0, partitions: 1, metrics: new AggregatorMetrics() };
  const task = new GroupByTask({ ...options, share: budget.share('first') });
  const before = usedBytes();
  const startedAt = performance.now();
  await aggregate(client, task);
  const ms = performance.now() - startedAt;
  const entries = task.size;
  const bytes = Math.round((usedBytes() - before) / entries);
  const estimate = Math.round(budget.usedBytes / entries);
  await task.drop();
  const restored = new GroupByTask({ ...options, share: budget.share('second') });
  const restoredAt = performance.now();
  await restored.acquire(context);
  const restoreMs = performance.now() - restoredAt;
  if (restored.size !== entries) throw new Error(`restored ${restored.size} of ${entries} entries`);
  await restored.drop();
  await verify(client, cents);
  console.log(JSON.stringify({ kind, groups, rows, entries, ms, bytes, estimate, restore_ms: restoreMs }));
} finally {
  const mine = (await client.listTopics()).filter((name) => name.startsWith(`${PREFIX}.`));
  await client.deleteTopics(mine);
  await client.close();
}
