// One pass over a file: every record is typed and checked, accepted rows and rejections are handed on, and what the checks
// need is counted on the way.
import { FileInspection } from '#checks';
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
  looseTyper,
  rowTyper,
  type CsvFault,
  type CsvRecord,
  type FileHead,
  type TypedRow,
} from '#csv';
import { errorFraction, headerVerdict, refusal, rulesVerdict, skewVerdicts, tooManyRows } from './verdict.js';

/** Where records go, in the order of the file. */
export interface RowReceiver {
  /** `row`: 1-based record number; `timeMs`: event time, epoch ms; `key`, `json`: as they stand in `rows`. */
  accepted(row: number, timeMs: number, key: string, json: string): void;
  rejected(row: number, letter: DeadLetter): void;
  /** Called between batches of at most 1,000 records, with those read so far: to write, to yield, to stop by throwing. */
  pause(read: number): Promise<void>;
}

export interface ExaminedFile {
  pipeline: Pipeline;
  /** Id of the run: `_upload` of the rows. */
  run: string;
  createdAtMs: number;
  /** A file with more records is refused, unread from there on. */
  maxRows: number;
  source: AsyncGenerator<Buffer>;
  /** As an earlier pass over the same file has found it; null: found now. */
  dialect: Dialect | null;
  /** What `run_date` is for the pipeline's checks, `yyyy-MM-dd`. */
  runDate: string;
}

export interface Examined {
  /** Has seen every accepted row, and why the others were rejected: what the pipeline's own checks decide on. */
  inspection: FileInspection;
  rows: { read: number; accepted: number; rejected: number };
  /** Every file's verdicts; the pipeline's own are given later. */
  checks: CheckResult[];
  /** How the file is written; null when that could not be found out. */
  dialect: Dialect | null;
  /** Why the file is refused; null when it may be published. */
  refused: RunError | null;
}

/** Reads the source once. Throws what the source and the receiver throw, never for bad data. */
export async function examineFile(file: ExaminedFile, receiver: RowReceiver): Promise<Examined> {
  const { pipeline } = file;
  const reader = new CsvReader(file.source, pipeline, file.dialect);
  const inspection = new FileInspection(pipeline, dateDay(file.runDate)!);
  const refuse = (...checks: CheckResult[]): Examined => {
    return { ...NO_ROWS, inspection, checks, refused: refusal(checks) };
  };
  try {
    const header = await readHeader(reader, pipeline);
    if (header.head === null) {
      await file.source.return(undefined);
      return refuse(header.check, ...header.skew);
    }
    inspection.header(header.head.header);
    const { isCut, ...rows } = await typeRecords(reader, header.head, { receiver, inspection }, file);
    const checks = [
      header.check,
      ...(isCut ? [tooManyRows(file.maxRows)] : []),
      errorFraction(rows, pipeline.maxErrorFraction),
    ];
    return { rows, inspection, dialect: header.head.dialect, checks, refused: refusal(checks) };
  } catch (error) {
    if (error instanceof CsvError) return refuse(rulesVerdict(error.message));
    throw error;
  }
}

const NO_ROWS = { rows: { read: 0, accepted: 0, rejected: 0 }, dialect: null };

/** `head` null: the file is refused for its header. */
async function readHeader(
  reader: CsvReader,
  pipeline: Pipeline,
): Promise<{ check: CheckResult; head: FileHead | null; skew: CheckResult[] }> {
  const expected = pipeline.columns.map((column) => column.name).join(',');
  const refuse = (observed: string | null, reason: string) => {
    return { check: headerVerdict({ passes: false, observed, reason }, expected), head: null, skew: [] };
  };
  try {
    const found = await reader.readHeader();
    if (!found) return refuse(null, 'the file holds no header line');
    const problems = headerProblems(pipeline, found.header);
    const observed = found.header.slice(0, 50).join(',').slice(0, 1_000);
    if (problems.length === 0) {
      return { check: headerVerdict({ passes: true, observed, reason: null }, expected), head: found, skew: [] };
    }
    const { encoding, delimiter } = found.dialect;
    const how = `the file was read as ${encoding} with the delimiter ${JSON.stringify(delimiter)}`;
    const skewed = problems.filter(({ code }) => code === 'missing_column' || code === 'unknown_column');
    const skew = skewed.map(({ message }) => message).join('; ');
    return {
      ...refuse(observed, [...problems.map(({ message }) => message), how].join('; ')),
      skew: skewed.length === 0 ? [] : skewVerdicts(pipeline.checks, observed, expected, skew),
    };
  } catch (error) {
    if (error instanceof CsvError) return refuse(null, error.message);
    throw error;
  }
}

async function typeRecords(
  reader: CsvReader,
  head: FileHead,
  { receiver, inspection }: { receiver: RowReceiver; inspection: FileInspection },
  { pipeline, run, createdAtMs, maxRows }: ExaminedFile,
) {
  const typeRow = rowTyper(pipeline, head.header, createdAtMs, head.dialect.decimalMark);
  const encode = rowEncoder(pipeline);
  const counts = { read: 0, accepted: 0, rejected: 0 };
  const readCells = looseTyper(pipeline, head.header, head.dialect.decimalMark);
  const reject = (fault: Omit<CsvFault, 'column'> & { column: string | null }, record: CsvRecord | null) => {
    counts.rejected++;
    inspection.rejected(fault.column, fault.code, record && (() => readCells(record.cells)));
    receiver.rejected(fault.row, deadLetter({ upload: run, ...fault }));
  };
  const accept = (record: CsvRecord, row: Extract<TypedRow, { ok: true }>) => {
    const timeMs = row.timeMs ?? createdAtMs;
    const json = encode(row.cells, run, record.row, timeMs);
    if (json.length * 3 > LIMITS.rowJsonBytes && Buffer.byteLength(json) > LIMITS.rowJsonBytes) {
      const message = `the row is larger than ${LIMITS.rowJsonBytes} bytes as JSON`;
      reject(faultOf(record, { column: null, code: 'too_large', message }), record);
      return;
    }
    counts.accepted++;
    inspection.accepted(row.cells);
    receiver.accepted(record.row, timeMs, row.key, json);
  };
  for await (const records of reader.batches()) {
    for (const record of records) {
      if (counts.read === maxRows) return { ...counts, isCut: true };
      counts.read++;
      if (isFault(record)) {
        reject(record, null);
        continue;
      }
      const row = typeRow(record.cells);
      if (row.ok) accept(record, row);
      else reject(faultOf(record, row), record);
    }
    await receiver.pause(counts.read);
  }
  return { ...counts, isCut: false };
}

function faultOf(
  record: CsvRecord,
  { column, code, message }: { column: string | null; code: DeadLetterCode; message: string },
): CsvFault {
  return { row: record.row, line: record.line, column, code, message, raw: record.raw() };
}
