// caudal dry-run FILE: what ingest would say of a file and what the aggregator would make of it alone, on this machine,
// without any service: the same code (libs/gate), and no limit of groups.
import { checkedViews, ViewInspection, type TableInspection } from '#checks';
import {
  dateDay,
  dateText,
  dayInZone,
  decodeRow,
  LIMITS,
  type CheckResult,
  type DeadLetter,
  type FeatureRecord,
  type LateCounts,
  type Pipeline,
  type RunError,
} from '#contracts';
import { examineFile, FileComputation, refusal } from '#gate';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { createGunzip } from 'node:zlib';
import { Failure } from '../failure.js';
import { table, type Terminal } from '../terminal.js';
import { findPipeline } from './find-pipeline.js';
import { cannotRead } from './validate.js';

const SHOWN = 20;
const DRY_RUN_ID = '0'.repeat(26);

interface DryRun {
  file: string;
  pipeline: string;
  rows: { read: number; accepted: number; rejected: number; late: number; late_by_view: LateCounts['late_by_view'] };
  checks: CheckResult[];
  refused: RunError | null;
  /** Code -> how many. */
  rejected: Record<string, number>;
  result: Record<string, Pick<FeatureRecord, 'key' | 'window' | 'features'>[]>;
}

/** Throws a Failure when the file would be refused. */
export async function dryRun(terminal: Terminal, file: string, pipelineName: string): Promise<void> {
  const pipeline = await findPipeline(pipelineName);
  const found = await stat(file).catch((error: unknown) => {
    throw cannotRead(file, error);
  });
  const letters: DeadLetter[] = [];
  const done = await compute(file, found.size, pipeline, { terminal, letters });
  terminal.document(done);
  terminal.print(summary(done, letters, terminal));
  for (const view of pipeline.views) terminal.print(viewTable(view.name, done.result[view.name] ?? [], terminal));
  if (done.refused !== null) throw new Failure(`${file} would be refused: ${done.refused.message}`);
}

async function compute(
  file: string,
  bytes: number,
  pipeline: Pipeline,
  { terminal, letters }: { terminal: Terminal; letters: DeadLetter[] },
): Promise<DryRun> {
  const createdAtMs = Date.now();
  const runDate = dateText(dayInZone(pipeline.timeZone)(createdAtMs));
  const computation = new FileComputation(pipeline, Number.POSITIVE_INFINITY);
  const rejected: Record<string, number> = {};
  let read = 0;
  const endProgress = terminal.progress(() => `${basename(file)}: ${read} records`);
  const source = chunksOf(file, bytes);
  const examined = await examineFile(
    { pipeline, run: DRY_RUN_ID, createdAtMs, maxRows: LIMITS.rows, source, dialect: null, runDate },
    {
      accepted: (row, _timeMs, _key, json) => computation.add(row, decodeRow(Buffer.from(json))),
      rejected: (row, letter) => {
        computation.add(row, null);
        rejected[letter.code] = (rejected[letter.code] ?? 0) + 1;
        if (letters.length < SHOWN) letters.push(letter);
      },
      pause: async (soFar) => {
        read = soFar;
      },
    },
  ).finally(endProgress);
  computation.end();
  const records = [...computation.results()];
  const checks = [...examined.checks];
  if (examined.refused?.code !== 'header_mismatch') {
    checks.push(...verdicts(pipeline, examined.inspection, records, dateDay(runDate)!));
  }
  return {
    file,
    pipeline: pipeline.name,
    rows: { ...examined.rows, ...computation.late },
    checks,
    refused: refusal(checks),
    rejected,
    result: byView(pipeline, records),
  };
}

async function* chunksOf(file: string, bytes: number): AsyncGenerator<Buffer> {
  if (bytes === 0) return;
  const raw = createReadStream(file, { highWaterMark: 256 * 1024 });
  try {
    yield* file.endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  } catch (error) {
    throw cannotRead(file, error);
  } finally {
    raw.destroy();
  }
}

/** The pipeline's checks in the order of its file; those that compare have nothing to compare with here. */
function verdicts(
  pipeline: Pipeline,
  inspection: TableInspection,
  records: readonly FeatureRecord[],
  runDay: number,
): CheckResult[] {
  const views = checkedViews(pipeline).map((view) => new ViewInspection(pipeline, view, runDay));
  const byName = new Map(views.map((view) => [view.table, view]));
  for (const record of records) byName.get(record.view)?.add(record);
  const results = [inspection, ...views].flatMap(({ prepared }) =>
    prepared.map(({ decide }) => decide({ missing: 'a dry-run knows no earlier uploads' })),
  );
  const named = new Map(results.map((one) => [one.name, one]));
  return pipeline.checks.map(({ name }) => named.get(name)!);
}

function byView(pipeline: Pipeline, records: readonly FeatureRecord[]): DryRun['result'] {
  const result: DryRun['result'] = {};
  for (const { name } of pipeline.views) result[name] = [];
  for (const { view, key, window, features } of records) result[view]!.push({ key, window, features });
  return result;
}

function summary(
  { file, rows, checks, rejected }: DryRun,
  letters: readonly DeadLetter[],
  { paint }: Terminal,
): string {
  const late = rows.late > 0 ? `, ${rows.late} late` : '';
  const lines = [`${file}: ${rows.read} records, ${rows.accepted} accepted, ${rows.rejected} rejected${late}`];
  for (const letter of letters) {
    lines.push(`  row ${letter.row} (line ${letter.line}) ${paint.red(letter.code)}: ${letter.message}`);
  }
  if (rows.rejected > letters.length) {
    const counts = Object.entries(rejected).map(([code, count]) => `${code} ${count}`);
    lines.push(`  ... in all: ${counts.join(', ')}`);
  }
  const shown = checks.map((check) => [check.name, check.verdict, check.severity, check.reason ?? '']);
  return [...lines, table(['check', 'verdict', 'severity', 'reason'], shown)].join('\n');
}

function viewTable(name: string, items: DryRun['result'][string], { paint }: Terminal): string {
  const first = items[0];
  if (first === undefined) return `${paint.bold(name)}: no groups`;
  const features = Object.keys(first.features);
  const timed = first.window.start !== null;
  const head = [...Object.keys(first.key), ...(timed ? ['window start'] : []), ...features];
  const rows = items
    .slice(0, SHOWN)
    .map((item) => [
      ...Object.values(item.key),
      ...(timed ? [new Date(item.window.start!).toISOString()] : []),
      ...features.map((feature) => textOf(item.features[feature])),
    ]);
  const more = items.length > SHOWN ? `\n... ${items.length - SHOWN} more (--json shows all)` : '';
  return `${paint.bold(name)}: ${items.length} groups\n${table(head, rows)}${more}`;
}

/** As Redis would hold it. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
