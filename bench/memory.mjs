// node --expose-gc bench/memory.mjs [--groups N]: what one (group, window) entry takes in memory, by aggregate and by
// window kind: the real heap and what lies outside it, beside the estimate that the aggregator's bound goes by.
// Needs the build; no Kafka, no Redis.
import { parseArgs } from 'node:util';
import { parsePipelineFile } from '#contracts';
import { GroupBy } from '#windowing';

const { values: options } = parseArgs({ options: { groups: { type: 'string', default: '20000' } } });
const GROUPS = Number(options.groups);
if (globalThis.gc === undefined) throw new Error('start it with node --expose-gc');

const NUMBER = ['sum', 'avg', 'min', 'max', 'first', 'last', 'variance', 'stddev', 'approx_count_distinct'];
const features = {
  'count only': '{ n: { count: "*" } }',
  'count, sum, avg': '{ n: { count: "*" }, s: { sum: valor }, a: { avg: valor } }',
  ...Object.fromEntries(NUMBER.map((name) => [name, `{ x: { ${name}: valor } }`])),
  approx_quantile: '{ x: { approx_quantile: { column: valor, q: 0.5 } } }',
  top_k: '{ x: { top_k: { column: valor, k: 10 } } }',
};
const windows = {
  all_time: '{ type: all_time }',
  upload: '{ type: upload }',
  'tumbling 1 d': '{ type: tumbling, size: 1d, grace: unlimited }',
  'hopping 7 d by 1 d': '{ type: hopping, size: 7d, advance: 1d, grace: unlimited }',
  session: '{ type: session, gap: 1h, grace: 1d }',
};

const pipelineOf = (window, wanted) =>
  parsePipelineFile(
    `
name: memoria
source:
  columns: { cidade: { type: string, required: true }, valor: { type: decimal } }
views:
  v: { group_by: [cidade], window: ${window}, features: ${wanted}, redis: { key: "{cidade}" } }
`,
    'memoria.yaml',
  );

function usedBytes() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** `rows` rows in each group, each with another value. */
function measure(window, wanted, rows, groups) {
  const before = usedBytes();
  const groupBy = new GroupBy(pipelineOf(window, wanted));
  for (let from = 0; from < groups; from += 1_000) {
    const step = groupBy.beginStep();
    for (let group = from; group < Math.min(groups, from + 1_000); group++) {
      for (let row = 0; row < rows; row++) {
        // As rows come from Kafka: every text is a copy of its own.
        const cells = JSON.parse(
          `{"cidade":"Município ${group}","valor":"${(group * 7919 + row * 104729) % 1_000_003}.25"}`,
        );
        step.applyRow({ upload: 'u1', row: group * rows + row, time: Date.UTC(2024, 0, 1), cells });
      }
    }
    step.commit();
  }
  const used = usedBytes() - before;
  return { entry: Math.round(used / groupBy.size), estimate: Math.round(groupBy.bytes / groupBy.size) };
}

const print = (name, rows, { entry, estimate }) =>
  console.log(
    `${name.padEnd(24)} ${String(rows).padStart(6)} ${String(entry).padStart(10)} ${String(estimate).padStart(10)}`,
  );
console.log(`bytes per entry, ${GROUPS} groups, Node ${process.version}\n`);
console.log(
  `${'aggregate (all_time)'.padEnd(24)} ${'rows'.padStart(6)} ${'measured'.padStart(10)} ${'estimate'.padStart(10)}`,
);
for (const [name, wanted] of Object.entries(features)) {
  print(name, 1, measure(windows.all_time, wanted, 1, GROUPS));
  if (/approx|top/.test(name))
    for (const rows of [100, 3_000])
      print(name, rows, measure(windows.all_time, wanted, rows, Math.ceil(GROUPS / rows) + 150));
}
console.log(`\n${'window (count, sum, avg)'.padEnd(24)}`);
for (const [name, window] of Object.entries(windows))
  print(name, 1, measure(window, features['count, sum, avg'], 1, GROUPS));
