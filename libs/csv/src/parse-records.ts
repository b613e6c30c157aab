// Third step: raw records -> cells, through csv-parse, many at a time. What cannot be read becomes a fault with the
// place and the reason, and the rest of the file goes on: records and faults together are all records of the file.
import { LIMITS, type DeadLetterCode } from '#contracts';
import { parse } from 'csv-parse/sync';
import { CsvError } from './csv-error.js';
import { bomBytes, headerTextFault, textFault } from './decode-text.js';
import { detectDialect, SAMPLE_BYTES, type Dialect } from './dialect.js';
import { RECORD_BYTES, RecordSplitter, type RawRecord } from './split-records.js';

const BATCH_RECORDS = 1_000;
const BATCH_BYTES = 256 * 1024;
/** A little more than a dead letter keeps, so that it sees that its raw text was cut. */
const RAW_BYTES = LIMITS.deadLetterRawBytes + 4;

/** A record whose cells could be read; it holds on to the bytes it came from. */
export class CsvRecord {
  constructor(
    /** 1-based record number, the header not counted, faulty records counted. */
    readonly row: number,
    /** 1-based line at which it begins. */
    readonly line: number,
    /** As many as the header has, in its order. */
    readonly cells: string[],
    private readonly bytes: Buffer,
    private readonly start: number,
    private readonly end: number,
  ) {}

  /** The record as it stood in the file, without its line break; cut a little above what a dead letter keeps. */
  raw(): string {
    return rawText(this.bytes, this.start, this.end);
  }
}

/** A record that could not be read. `column` is null where no single column is at fault. */
export interface CsvFault {
  row: number;
  line: number;
  column: string | null;
  code: DeadLetterCode;
  message: string;
  /** As {@link CsvRecord.raw}; of a record with a `quote` fault, the line on which it began. */
  raw: string;
}

export function isFault(record: CsvRecord | CsvFault): record is CsvFault {
  return 'code' in record;
}

export interface RecordBatch {
  /** In the order of the file. */
  records: (CsvRecord | CsvFault)[];
  /** Bytes of the source read so far, up to the end of the last record at least. */
  bytes: number;
}

interface Head {
  header: string[];
  dialect: Dialect;
}

/** Reads one CSV file, once. Memory is bounded: at most about twice the record cap and one chunk are kept. */
export class CsvReader {
  readonly #source: AsyncIterator<Buffer>;
  readonly #given: Dialect | undefined;
  #head: Promise<Head | null> | undefined;
  #splitter = new RecordSplitter(',');
  #skippedBytes = 0;
  #ended = false;

  /** `dialect`: as an earlier reading of the same file has found it; without it, found from the first 64 KiB. */
  constructor(source: AsyncIterable<Buffer>, dialect?: Dialect) {
    this.#source = source[Symbol.asyncIterator]();
    this.#given = dialect;
  }

  /**
   * The header's names as they stand in the file; null for a file without any record.
   * Throws {@link CsvError} when the header cannot be read.
   */
  readHeader(): Promise<Head | null> {
    return (this.#head ??= this.#open().catch(async (error: unknown) => {
      await this.#source.return?.();
      throw error;
    }));
  }

  /** The records after the header (which is read first if it was not), in batches of at most 1,000. */
  async *batches(): AsyncGenerator<RecordBatch> {
    try {
      const head = await this.readHeader();
      if (head === null) return;
      for (;;) {
        const records = this.#collect(head);
        if (records.length > 0) yield { records, bytes: this.#skippedBytes + this.#splitter.consumedBytes };
        else if (this.#ended) break;
        else await this.#fill();
      }
    } finally {
      await this.#source.return?.();
    }
  }

  async #open(): Promise<Head | null> {
    const sample = await this.#pull(SAMPLE_BYTES);
    const bom = bomBytes(sample);
    const dialect = this.#given ?? detectDialect(sample);
    this.#skippedBytes = bom;
    this.#splitter = new RecordSplitter(dialect.delimiter);
    this.#feed(sample.subarray(bom));
    let raw = this.#splitter.next();
    while (raw === null && !this.#ended) {
      await this.#fill();
      raw = this.#splitter.next();
    }
    if (raw === null) return null;
    return { header: headerCells(this.#splitter.bytes, raw, dialect.delimiter), dialect };
  }

  /** At least `bytes` of the source, or all that is left: few large pieces make few copies. */
  async #pull(bytes: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let pulled = 0;
    while (pulled < bytes && !this.#ended) {
      const result = await this.#source.next();
      if (result.done) {
        this.#ended = true;
      } else {
        chunks.push(result.value);
        pulled += result.value.length;
      }
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  }

  #feed(chunk: Buffer): void {
    this.#splitter.push(chunk);
    if (this.#ended) this.#splitter.finish();
  }

  /** Doubles what is pending, so that a long record is not looked at again for every small chunk of it. */
  async #fill(): Promise<void> {
    this.#feed(await this.#pull(Math.max(SAMPLE_BYTES, this.#splitter.pendingBytes)));
  }

  #collect(head: Head): (CsvRecord | CsvFault)[] {
    const raws: RawRecord[] = [];
    let size = 0;
    while (raws.length < BATCH_RECORDS && size < BATCH_BYTES) {
      const raw = this.#splitter.next();
      if (raw === null) break;
      raws.push(raw);
      size += raw.end - raw.start;
    }
    return readRecords(this.#splitter.bytes, raws, head.header, head.dialect.delimiter);
  }
}

function headerCells(bytes: Buffer, raw: RawRecord, delimiter: string): string[] {
  const fault = headerTextFault(bytes.subarray(raw.start, raw.end)) ?? raw.fault;
  if (fault)
    throw new CsvError(fault.code, raw.fault === fault ? `the header cannot be read: ${fault.message}` : fault.message);
  const cells = parseCells(bytes, [raw], delimiter)[0]!;
  if (!cells) throw new CsvError('quote', 'the header cannot be read: its quotes do not match');
  const long = longField(cells, raw);
  if (long !== -1) throw new CsvError('too_large', `the name of column ${long + 1} is larger than a field may be`);
  return cells;
}

/** Cells or a fault for each raw record, in their order. */
function readRecords(
  bytes: Buffer,
  raws: readonly RawRecord[],
  header: readonly string[],
  delimiter: string,
): (CsvRecord | CsvFault)[] {
  if (raws.length === 0) return [];
  // One look at all the bytes; only when it finds something, one at each record.
  const clean = textFault(bytes.subarray(raws[0]!.start, raws.at(-1)!.end)) === null;
  const faults = raws.map((raw) => rawFault(bytes, raw, header.length, clean));
  const good = raws.filter((_, index) => faults[index] === null);
  const cellsOf = parseCells(bytes, good, delimiter);
  let next = 0;
  return raws.map((raw, index) => {
    const place = { row: raw.number - 1, line: raw.line };
    const toFault = (column: string | null, code: DeadLetterCode, message: string): CsvFault => {
      return { ...place, column, code, message, raw: rawText(bytes, raw.start, raw.end) };
    };
    const fault = faults[index]!;
    if (fault) return toFault(null, fault.code, fault.message);
    const cells = cellsOf[next++]!;
    if (!cells) return toFault(null, 'quote', 'the quotes of the record do not match');
    const long = longField(cells, raw);
    if (long !== -1) {
      const name = header[long]!;
      return toFault(name, 'too_large', `column "${name}" is larger than ${LIMITS.fieldBytes} bytes`);
    }
    return new CsvRecord(place.row, place.line, cells, bytes, raw.start, raw.end);
  });
}

/** What is wrong with a record before its cells are read. */
function rawFault(
  bytes: Buffer,
  raw: RawRecord,
  columns: number,
  clean: boolean,
): { code: DeadLetterCode; message: string } | null {
  const fault = raw.fault ?? (clean ? null : textFault(bytes.subarray(raw.start, raw.end)));
  if (fault || raw.fields === columns) return fault;
  return { code: 'ragged', message: `the record has ${raw.fields} fields, the header has ${columns}` };
}

/** Index of the first cell above the field limit, or -1. */
function longField(cells: readonly string[], raw: RawRecord): number {
  if (raw.end - raw.start <= LIMITS.fieldBytes) return -1;
  return cells.findIndex((cell) => Buffer.byteLength(cell) > LIMITS.fieldBytes);
}

function rawText(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, Math.min(end, start + RAW_BYTES));
}

/**
 * The cells of each record, null where csv-parse does not find the one record with the fields that the splitter saw.
 * The two agree (a property test holds them to it); should a record ever divide them, only that one is lost.
 */
export function parseCells(bytes: Buffer, raws: readonly RawRecord[], delimiter: string): (string[] | null)[] {
  return (
    parseTogether(bytes, raws, delimiter) ?? raws.map((raw) => parseTogether(bytes, [raw], delimiter)?.[0] ?? null)
  );
}

/** The cells of all records by one call of csv-parse; null when it sees them otherwise than the splitter did. */
export function parseTogether(bytes: Buffer, raws: readonly RawRecord[], delimiter: string): string[][] | null {
  const cells = tryParse(contiguous(bytes, raws), delimiter);
  const agree = cells?.length === raws.length && cells.every((row, index) => row.length === raws[index]!.fields);
  return agree ? cells : null;
}

function tryParse(bytes: Buffer, delimiter: string): string[][] | null {
  try {
    return parse(bytes, {
      delimiter,
      // csv-parse compares every byte with every one of these: most files need one.
      record_delimiter: bytes.includes('\r') ? ['\r\n', '\n', '\r'] : '\n',
      relax_quotes: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: RECORD_BYTES,
    });
  } catch {
    return null;
  }
}

/** The records' bytes in one piece: a slice where they follow each other, else a copy without what is between. */
function contiguous(bytes: Buffer, raws: readonly RawRecord[]): Buffer {
  if (raws.length === 0) return bytes.subarray(0, 0);
  const pieces: Buffer[] = [];
  let first = raws[0]!;
  let last = first;
  for (const raw of raws.slice(1)) {
    if (raw.number !== last.number + 1) {
      pieces.push(bytes.subarray(first.start, last.end), LINE_BREAK);
      first = raw;
    }
    last = raw;
  }
  if (pieces.length === 0) return bytes.subarray(first.start, last.end);
  pieces.push(bytes.subarray(first.start, last.end));
  return Buffer.concat(pieces);
}

const LINE_BREAK = Buffer.from('\n');
