// First step: a file's chunks -> its records. Decides the dialect, then leads the bytes through decoding, splitting and
// reading of cells. What cannot be read becomes a fault with the place and the reason, and the rest of the file goes on:
// records and faults together are all records of the file.
import { LIMITS, type DeadLetterCode, type Dialect, type Encoding } from '#contracts';
import { CsvError } from './csv-error.js';
import { headerTextFault, textFault, toUtf8, type ToUtf8 } from './decode-text.js';
import { decideDialect, grammarOf, SAMPLE_BYTES, type FileFormat } from './dialect.js';
import { readCells } from './read-cells.js';
import { RecordSplitter, type Grammar, type RawRecord } from './split-records.js';

const BATCH_RECORDS = 1_000;
const BATCH_BYTES = 256 * 1024;
/** A little more than a dead letter keeps, so that it sees that its raw text was cut. */
const RAW_BYTES = LIMITS.deadLetterRawBytes + 4;

/** A record whose cells could be read; it holds on to the bytes it came from. */
export class CsvRecord {
  constructor(
    /** 1-based record number, a header line not counted, faulty records counted. */
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

/** A file's column names, in its order, and how it is written. */
export interface FileHead {
  header: readonly string[];
  dialect: Dialect;
}

/** Reads one CSV file, once. Memory is bounded: at most about twice the record cap and one chunk are kept. */
export class CsvReader {
  readonly #source: AsyncIterator<Buffer>;
  readonly #format: FileFormat;
  readonly #given: Dialect | null;
  #head: Promise<FileHead | null> | undefined;
  #toUtf8: ToUtf8 | null = null;
  #grammar: Grammar;
  #splitter: RecordSplitter;
  #ended = false;

  /** `dialect`: as an earlier reading of the same file has found it; without it, found from the first 64 KiB. */
  constructor(source: AsyncIterable<Buffer>, format: FileFormat, dialect: Dialect | null = null) {
    this.#source = source[Symbol.asyncIterator]();
    this.#format = format;
    this.#given = dialect;
    this.#grammar = grammarOf(format.csv, ',');
    this.#splitter = new RecordSplitter(this.#grammar);
  }

  /**
   * The header's names as they stand in the file, or as the pipeline gives them; null for a file that has no header
   * line and needs one. Throws {@link CsvError} when the header cannot be read.
   */
  readHeader(): Promise<FileHead | null> {
    return (this.#head ??= this.#open().catch(async (error: unknown) => {
      await this.#source.return?.();
      throw error;
    }));
  }

  /** The records after the header (which is read first if it was not), at most 1,000 at a time, in the file's order. */
  async *batches(): AsyncGenerator<(CsvRecord | CsvFault)[]> {
    try {
      const head = await this.readHeader();
      if (head === null) return;
      for (;;) {
        const records = this.#collect(head);
        if (records.length > 0) yield records;
        else if (this.#ended) break;
        else await this.#fill();
      }
    } finally {
      await this.#source.return?.();
    }
  }

  async #open(): Promise<FileHead | null> {
    const sample = await this.#pull(SAMPLE_BYTES);
    const dialect = this.#given ?? decideDialect(sample, this.#format);
    this.#toUtf8 = toUtf8(dialect.encoding);
    this.#grammar = grammarOf(this.#format.csv, dialect.delimiter);
    this.#splitter = new RecordSplitter(this.#grammar);
    this.#feed(sample.subarray(dialect.bomBytes));
    const { header } = this.#format.csv;
    if (header !== null) return { header, dialect };
    let raw = this.#splitter.next();
    while (raw === null && !this.#ended) {
      await this.#fill();
      raw = this.#splitter.next();
    }
    if (raw === null) return null;
    return { header: headerCells(this.#splitter.bytes, raw, this.#grammar, dialect.encoding), dialect };
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
    this.#splitter.push(this.#toUtf8?.convert(chunk, this.#ended) ?? chunk);
    if (this.#ended) this.#splitter.finish();
  }

  /** Doubles what is pending, so that a long record is not looked at again for every small chunk of it. */
  async #fill(): Promise<void> {
    this.#feed(await this.#pull(Math.max(SAMPLE_BYTES, this.#splitter.pendingBytes)));
  }

  #collect({ header, dialect }: FileHead): (CsvRecord | CsvFault)[] {
    const raws: RawRecord[] = [];
    let size = 0;
    while (raws.length < BATCH_RECORDS && size < BATCH_BYTES) {
      const raw = this.#splitter.next();
      if (raw === null) break;
      raws.push(raw);
      size += raw.end - raw.start;
    }
    if (raws.length === 0) return [];
    const { bytes } = this.#splitter;
    // One look at all the bytes; only when it finds something, one at each record.
    const clean = textFault(bytes.subarray(raws[0]!.start, raws.at(-1)!.end), dialect.encoding) === null;
    const headerLines = this.#format.csv.header === null ? 1 : 0;
    const faults = raws.map((raw) => {
      const fault = raw.fault ?? (clean ? null : textFault(bytes.subarray(raw.start, raw.end), dialect.encoding));
      return fault ?? raggedFault(raw, header);
    });
    const whole = raws.filter((_, at) => faults[at] === null);
    const texts = whole.map((raw) => bytes.toString('utf8', raw.start, raw.end));
    const cells = readCells(texts, this.#grammar).values();
    return raws.map((raw, at) => {
      const row = raw.number - headerLines;
      const fault = faults[at]!;
      if (fault !== null) return toFault(bytes, raw, { row, column: null, ...fault });
      return toRecord(bytes, raw, { row, header, cells: cells.next().value! });
    });
  }
}

function headerCells(bytes: Buffer, raw: RawRecord, grammar: Grammar, encoding: Encoding): string[] {
  const textual = headerTextFault(bytes.subarray(raw.start, raw.end), encoding);
  if (textual) throw new CsvError(textual.code, textual.message);
  if (raw.fault) throw new CsvError(raw.fault.code, `the header cannot be read: ${raw.fault.message}`);
  const cells = readCells([bytes.toString('utf8', raw.start, raw.end)], grammar)[0]!;
  const long = longField(cells, raw);
  if (long !== -1) throw new CsvError('too_large', `the name of column ${long + 1} is larger than a field may be`);
  return cells;
}

interface Fault {
  code: DeadLetterCode;
  message: string;
}

function raggedFault(raw: RawRecord, header: readonly string[]): Fault | null {
  if (raw.fields === header.length) return null;
  return { code: 'ragged', message: `the record has ${raw.fields} fields, the header has ${header.length}` };
}

function toFault(bytes: Buffer, raw: RawRecord, fault: Fault & { row: number; column: string | null }): CsvFault {
  return { ...fault, line: raw.line, raw: rawText(bytes, raw.start, raw.end) };
}

function toRecord(
  bytes: Buffer,
  raw: RawRecord,
  { row, header, cells }: { row: number; header: readonly string[]; cells: string[] },
): CsvRecord | CsvFault {
  const long = longField(cells, raw);
  if (long === -1) return new CsvRecord(row, raw.line, cells, bytes, raw.start, raw.end);
  const column = header[long]!;
  const message = `column "${column}" is larger than ${LIMITS.fieldBytes} bytes`;
  return toFault(bytes, raw, { row, column, code: 'too_large', message });
}

/** Index of the first cell above the field limit, or -1. */
function longField(cells: readonly string[], raw: RawRecord): number {
  if (raw.end - raw.start <= LIMITS.fieldBytes) return -1;
  return cells.findIndex((cell) => Buffer.byteLength(cell) > LIMITS.fieldBytes);
}

function rawText(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, Math.min(end, start + RAW_BYTES));
}
