// Second station: one pass over the spooled body types and checks every record and decides whether the file may
// enter. Nothing of a refused file is published. What passes is left as a typed file for the publisher.
import {
  dateDay,
  deadLetter,
  LIMITS,
  rowEncoder,
  type CheckResult,
  type DeadLetter,
  type DeadLetterCode,
  type Dialect,
  type Pipeline,
  type RunError,
} from '#contracts';
import {
  CsvError,
  CsvReader,
  headerProblems,
  isFault,
  rowTyper,
  type CsvRecord,
  type FileHead,
  type TypedRow,
} from '#csv';
import { FileInspection } from '#checks';
import { partitionForKey } from '#kafka';
import { setImmediate as yieldToEvents } from 'node:timers/promises';
import { TypedFileWriter } from './typed-file.js';

const YIELD_AFTER_MS = 10;
const FLUSH_BYTES = 1 << 20;

export interface GateArgs {
  pipeline: Pipeline;
  run: string;
  createdAtMs: number;
  partitions: number;
  /** A file with more records is refused, unread from there on. */
  maxRows: number;
  source: AsyncGenerator<Buffer>;
  /** As an earlier pass over the same file has found it; null: found now. */
  dialect: Dialect | null;
  typedPath: string;
  /** What `run_date` is for the pipeline's checks, `yyyy-MM-dd`. */
  runDate: string;
  /** The service is stopping: the pass ends with the signal's reason. */
  stop: AbortSignal;
  /** Told of the records read so far, now and then. */
  onRead?: (rows: number) => void;
}

export interface GateResult {
  /** Has seen every accepted row, and why the others were rejected: what the pipeline's own checks decide on. */
  inspection: FileInspection;
  rows: { read: number; accepted: number; rejected: number };
  checks: CheckResult[];
  /** How the file is written; null when that could not be found out. */
  dialect: Dialect | null;
  /** Why the file is refused; null when it may be published. */
  refused: RunError | null;
}

/** Reads the source once. Throws what the source throws (a broken body) and what the disk says, never for bad data. */
export async function gate(args: GateArgs): Promise<GateResult> {
  const reader = new CsvReader(args.source, args.pipeline, args.dialect);
  const typed = await TypedFileWriter.create(args.typedPath);
  const inspection = new FileInspection(args.pipeline, dateDay(args.runDate)!);
  try {
    const header = await readHeader(reader, args);
    if (!header.ok) {
      await args.source.return(undefined);
      const check = verdict('header', 'schema', false, header.observed, header.expected, header.reason);
      return { ...NO_ROWS, inspection, checks: [check], refused: refusal([check]) };
    }
    const { dialect } = header.head;
    inspection.header(header.head.header);
    const headerCheck = verdict('header', 'schema', true, header.observed, header.expected, null);
    const { isCut, ...counts } = await typeRecords(reader, header.head, { typed, inspection }, args);
    const checks = [
      headerCheck,
      ...(isCut ? [tooManyRows(args.maxRows)] : []),
      errorFraction(counts, args.pipeline.maxErrorFraction),
    ];
    return { rows: counts, inspection, dialect, checks, refused: refusal(checks) };
  } catch (error) {
    // Not a fault of one record: a `unique` column with more values than can be told apart.
    if (!(error instanceof CsvError)) throw error;
    const check = verdict('rules', 'schema', false, null, null, error.message);
    return { ...NO_ROWS, inspection, checks: [check], refused: refusal([check]) };
  } finally {
    await typed.close();
  }
}

const NO_ROWS = { rows: { read: 0, accepted: 0, rejected: 0 }, dialect: null };

type Header =
  | { ok: true; head: FileHead; observed: string; expected: string }
  | { ok: false; observed: string | null; expected: string; reason: string };

async function readHeader(reader: CsvReader, args: GateArgs): Promise<Header> {
  const expected = args.pipeline.columns.map((column) => column.name).join(',');
  try {
    const found = await reader.readHeader();
    if (!found) return { ok: false, observed: null, expected, reason: 'the file holds no header line' };
    const problems = headerProblems(args.pipeline, found.header);
    const observed = found.header.slice(0, 50).join(',').slice(0, 1_000);
    if (problems.length === 0) return { ok: true, head: found, observed, expected };
    const { encoding, delimiter } = found.dialect;
    const how = `the file was read as ${encoding} with the delimiter ${JSON.stringify(delimiter)}`;
    return { ok: false, observed, expected, reason: [...problems.map(({ message }) => message), how].join('; ') };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { ok: false, observed: null, expected, reason: error.message };
  }
}

interface Receivers {
  typed: TypedFileWriter;
  inspection: FileInspection;
}

async function typeRecords(reader: CsvReader, head: FileHead, { typed, inspection }: Receivers, args: GateArgs) {
  const typeRow = rowTyper(args.pipeline, head.header, args.createdAtMs, head.dialect.decimalMark);
  const encode = rowEncoder(args.pipeline);
  const partitionOf = cachedPartitions(args.partitions);
  const counts = { read: 0, accepted: 0, rejected: 0 };
  const reject = (
    row: number,
    line: number,
    column: string | null,
    code: DeadLetterCode,
    message: string,
    raw: string,
  ) => {
    counts.rejected++;
    inspection.rejected(column, code);
    const letter: DeadLetter = deadLetter({ upload: args.run, row, line, column, code, message, raw });
    typed.rejected(row, JSON.stringify(letter));
  };
  const accept = (record: CsvRecord, row: Extract<TypedRow, { ok: true }>) => {
    const time = row.timeMs ?? args.createdAtMs;
    const json = encode(row.cells, args.run, record.row, time);
    if (json.length * 3 > LIMITS.rowJsonBytes && Buffer.byteLength(json) > LIMITS.rowJsonBytes) {
      const message = `the row is larger than ${LIMITS.rowJsonBytes} bytes as JSON`;
      reject(record.row, record.line, null, 'too_large', message, record.raw());
      return;
    }
    counts.accepted++;
    inspection.accepted(row.cells);
    typed.accepted(partitionOf(row.key), record.row, time, row.key, json);
  };
  let busySince = performance.now();
  for await (const records of reader.batches()) {
    for (const record of records) {
      if (counts.read === args.maxRows) return { ...counts, isCut: true };
      counts.read++;
      if (isFault(record)) {
        reject(record.row, record.line, record.column, record.code, record.message, record.raw);
        continue;
      }
      const row = typeRow(record.cells);
      if (row.ok) accept(record, row);
      else reject(record.row, record.line, row.column, row.code, row.message, record.raw());
    }
    if (typed.pendingBytes > FLUSH_BYTES) await typed.flush();
    args.onRead?.(counts.read);
    if (performance.now() - busySince > YIELD_AFTER_MS) {
      await yieldToEvents();
      args.stop.throwIfAborted();
      busySince = performance.now();
    }
  }
  return { ...counts, isCut: false };
}

/** Keys repeat: murmur2 of each is computed once, within a bound. */
function cachedPartitions(partitions: number): (key: string) => number {
  const known = new Map<string, number>();
  return (key) => {
    let partition = known.get(key);
    if (partition === undefined) {
      partition = partitionForKey(key, partitions);
      if (known.size >= 100_000) known.clear();
      known.set(key, partition);
    }
    return partition;
  };
}

function errorFraction(rows: { read: number; rejected: number }, max: number): CheckResult {
  const observed = rows.read === 0 ? 0 : rows.rejected / rows.read;
  const passes = observed <= max;
  const reason = passes ? null : `${rows.rejected} of ${rows.read} records were rejected, more than ${max} of them`;
  return verdict('max_error_fraction', 'max_error_fraction', passes, observed, max, reason);
}

function tooManyRows(max: number): CheckResult {
  return verdict('max_rows', 'max_rows', false, null, max, `the file has more than ${max} records: split it`);
}

function verdict(
  name: string,
  type: string,
  passes: boolean,
  observed: string | number | null,
  expected: string | number | null,
  reason: string | null,
): CheckResult {
  return { name, type, severity: 'error', verdict: passes ? 'pass' : 'fail', observed, expected, reason };
}

/** Why these results refuse the file; null when they do not. */
export function refusal(checks: readonly CheckResult[]): RunError | null {
  const failed = checks.filter((check) => check.verdict === 'fail' && check.severity === 'error');
  if (failed.length === 0) return null;
  const code = failed[0]!.name === 'header' ? 'header_mismatch' : 'checks_failed';
  const message = `refused by ${failed.map((check) => `${check.name} (${check.reason})`).join(', ')}`;
  return { code, message, retriable: false };
}
