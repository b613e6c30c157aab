// npm run bench -- windows [--rows N] [--seed S] [--groups 5000,1000000]: rows a second of one aggregator task by window
// kind and number of groups, with restore time and memory an entry. The ratios are of one run on one machine; every case
// is verified against the sum of its rows before it is printed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const KINDS = ['all_time', 'tumbling', 'hopping', 'session'];
const NAMES = { all_time: 'all_time', tumbling: 'tumbling 1 d', hopping: 'hopping 7 d by 1 d', session: 'session 1 h' };
/** Seven windows a row at a million groups need several GB. */
const HEAP_MIB = Math.min(16_384, Math.floor((totalmem() / 2 ** 20) * 0.6));

async function measure(kind, groups, { rows, seed }) {
  const file = join(import.meta.dirname, 'windows-case.mjs');
  const args = ['--expose-gc', `--max-old-space-size=${HEAP_MIB}`, file, kind, groups, rows, seed].map(String);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${kind} with ${groups} groups failed`);
  return JSON.parse(out);
}

const COLUMNS = ['window', 'groups', 'entries', 'rows/s', 'of all_time', 'restore s', 'bytes/entry', 'estimate'];

function cells(result, base) {
  const rate = (result.rows / result.ms) * 1000;
  return [
    NAMES[result.kind],
    result.groups,
    result.entries,
    Math.round(rate),
    (base.ms / result.ms).toFixed(2),
    (result.restore_ms / 1000).toFixed(1),
    result.bytes,
    result.estimate,
  ].map(String);
}

/** `args`: what follows `windows` on the command line. */
export async function benchWindows(args) {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '20231' },
      groups: { type: 'string', default: '5000,1000000' },
    },
  });
  const print = (row) => console.log(`| ${row.join(' | ')} |`);
  console.log(`${values.rows} rows, one task, Node ${process.version}, ${availableParallelism()} cores\n`);
  print(COLUMNS);
  print(COLUMNS.map(() => '---'));
  const results = [];
  for (const groups of values.groups.split(',').map(Number)) {
    let base = null;
    for (const kind of KINDS) {
      const result = await measure(kind, groups, values);
      base ??= result;
      results.push(result);
      print(cells(result, base));
    }
  }
  const target = join(import.meta.dirname, 'results');
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'windows.json'), `${JSON.stringify(results, null, 2)}\n`);
  console.log('\nevery case equal to the sum of its rows; written to bench/results/windows.json');
}
