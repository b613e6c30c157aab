// npm run bench -- [--rows N] [--seed S] [--latency-files N]: the whole path (POST to `completed`) on fresh topics against
// (a) the obvious version of the same job and (b) Kafka's own producer-perf-test, in one run on one machine. What counts
// are the ratios. Results are verified against a direct computation before any number is printed.
// npm run bench -- windows ...: windows.mjs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KafkaClient } from '#kafka';
import { post, startCaudal, verify } from './caudal.mjs';
import { makeRows } from './make-rows.mjs';
import { benchWindows } from './windows.mjs';

const PARTITIONS = 4;

const isWindows = process.argv[2] === 'windows';
const { values: options } = parseArgs({
  args: isWindows ? [] : process.argv.slice(2),
  options: {
    rows: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '20231' },
    'latency-files': { type: 'string', default: '200' },
    help: { type: 'boolean' },
  },
});
const rows = Number(options.rows);
const folder = mkdtempSync(join(tmpdir(), 'caudal-bench-file-'));

const rate = (count, ms) => Math.round((count / ms) * 1000);
const print = (text) => process.stdout.write(`${text}\n`);

async function withTopic(name, use) {
  const client = new KafkaClient({ brokers: process.env.KAFKA_BROKERS.split(','), clientId: 'caudal-bench' });
  await client.connect();
  try {
    await client.ensureTopics([{ name, partitions: PARTITIONS, config: { 'retention.ms': '3600000' } }]);
    return await use();
  } finally {
    await client.deleteTopics([name]);
    await client.close();
  }
}

async function measureObvious(path) {
  const topic = `obvious${process.pid}`;
  const run = (...args) =>
    spawn(process.execPath, [join(import.meta.dirname, 'obvious.mjs'), ...args, topic], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  return withTopic(topic, async () => {
    const consumer = run('consume', String(rows));
    await once(consumer, 'message'); // it has joined: its start is not counted
    const startedAt = performance.now();
    const producer = run('produce', path);
    const [[produced], [consumed]] = await Promise.all([once(producer, 'exit'), once(consumer, 'exit')]);
    if (produced !== 0 || consumed !== 0) throw new Error('the obvious version failed');
    return performance.now() - startedAt;
  });
}

/** Kafka's own producer at full speed with acks=all; answers records a second. */
async function measurePerfTest(recordBytes) {
  const topic = `perf${process.pid}`;
  return withTopic(topic, async () => {
    const args = ['-cp', process.env.CAUDAL_KAFKA_CLASSPATH, 'org.apache.kafka.tools.ProducerPerformance'];
    args.push(
      '--topic',
      topic,
      '--num-records',
      String(rows),
      '--record-size',
      String(recordBytes),
      '--throughput',
      '-1',
    );
    args.push('--producer-props', 'acks=all', `bootstrap.servers=${process.env.KAFKA_BROKERS}`);
    const java = spawn('java', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    java.stdout.on('data', (chunk) => (out += chunk));
    await once(java, 'exit');
    const last = out.trim().split('\n').at(-1);
    const found = /, ([\d.]+) records\/sec/.exec(last);
    if (!found) throw new Error(`producer-perf-test said: ${last}`);
    return Math.round(Number(found[1]));
  });
}

/** Six-row files, one after another, on warm services: POST to `completed` in ms. */
async function measureLatency(url, files) {
  const times = [];
  for (let i = 0; i < files + 10; i++) {
    const lines = Array.from(
      { length: 6 },
      (_, row) => `${i}-${row},2023-01-0${row + 1}T00:00:00Z,Latency ${row},SP,${row}.50`,
    );
    const { ms } = await post(url, {
      text: ['cnpj,data_abertura,cidade,estado,capital_social', ...lines, ''].join('\n'),
    });
    if (i >= 10) times.push(ms); // the first ten warm things up
  }
  times.sort((a, b) => a - b);
  return { median: times[Math.floor(times.length / 2)], p99: times[Math.floor(times.length * 0.99)] };
}

/** How long each step of the run took, ms: where the time goes. */
function stepTimes(run) {
  const took = (step) => Date.parse(step.ended_at) - Date.parse(step.started_at);
  return Object.fromEntries(run.steps.map((step) => [step.name, took(step)]));
}

async function measureCaudal(path, expected) {
  const caudal = await startCaudal();
  try {
    await post(caudal.url, { text: 'cnpj,data_abertura,cidade,estado,capital_social\n0,2023-01-01,Warm up,SP,1\n' });
    const { run, ms } = await post(caudal.url, { path });
    if (run.rows.published !== rows) throw new Error(`published ${run.rows.published} of ${rows} rows`);
    const groups = await verify(expected);
    return {
      ms,
      groups,
      steps: stepTimes(run),
      latency: await measureLatency(caudal.url, Number(options['latency-files'])),
    };
  } finally {
    await caudal.stop();
  }
}

async function bench() {
  const path = join(folder, 'rows.csv');
  print(`making ${rows} rows (seed ${options.seed})`);
  const { bytes, expected } = await makeRows({ path, rows, seed: Number(options.seed) });
  const recordBytes = 180; // a row of this file as JSON in the rows topic
  print('Caudal: POST to completed');
  const caudal = await measureCaudal(path, expected);
  print('(a) the obvious version');
  const obviousMs = await measureObvious(path);
  print('(b) producer-perf-test, acks=all');
  const perf = await measurePerfTest(recordBytes);
  const result = {
    rows,
    file_bytes: bytes,
    groups: caudal.groups,
    cores: availableParallelism(),
    node: process.version,
    caudal_rows_per_s: rate(rows, caudal.ms),
    obvious_rows_per_s: rate(rows, obviousMs),
    perf_test_records_per_s: perf,
    ratio_to_obvious: Number((obviousMs / caudal.ms).toFixed(2)),
    ratio_to_perf_test: Number((rate(rows, caudal.ms) / perf).toFixed(3)),
    steps_ms: caudal.steps,
    six_rows_ms: { median: Math.round(caudal.latency.median), p99: Math.round(caudal.latency.p99) },
    verified: true,
  };
  const target = join(import.meta.dirname, 'results');
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'bench.json'), `${JSON.stringify(result, null, 2)}\n`);
  print(`
${rows} rows, ${caudal.groups} groups, every group equal to the direct computation
  Caudal, POST to completed      ${result.caudal_rows_per_s} rows/s
    of it check ${result.steps_ms.check} ms, publish ${result.steps_ms.publish} ms, then aggregate ${result.steps_ms.aggregate} ms
  (a) the obvious version        ${result.obvious_rows_per_s} rows/s   Caudal is ${result.ratio_to_obvious} times as fast
  (b) producer-perf-test         ${result.perf_test_records_per_s} records/s   Caudal reaches ${result.ratio_to_perf_test} of it
  six-row file, POST to completed: median ${result.six_rows_ms.median} ms, p99 ${result.six_rows_ms.p99} ms
  written to bench/results/bench.json`);
}

if (isWindows) await benchWindows(process.argv.slice(3));
else if (options.help) {
  print('npm run bench -- [--rows 1000000] [--seed 20231] [--latency-files 200]');
  print('npm run bench -- windows [--rows 1000000] [--seed 20231] [--groups 5000,1000000]');
} else {
  try {
    await bench();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
