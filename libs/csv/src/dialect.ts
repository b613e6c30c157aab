// Before the first record: how this file is written, decided once, from its first 64 KiB, where the pipeline says `auto`.
import type { CsvFormat, Delimiter, Dialect, Pipeline } from '#contracts';
import { toUtf8 } from './decode-text.js';
import { decideEncoding } from './encoding.js';
import { readCells, trimSpaces } from './read-cells.js';
import { RecordSplitter, type Grammar, type RawRecord } from './split-records.js';

/** Bytes that decide a dialect; what stands later in the file never changes it. */
export const SAMPLE_BYTES = 64 * 1024;

/** The comma last: it also stands in numbers and texts, where the others are rare. */
const DELIMITERS: readonly Delimiter[] = [';', '\t', '|', ','];

/** What of a pipeline says how its files are read. */
export type FileFormat = Pick<Pipeline, 'columns' | 'csv'>;

/**
 * `sample`: the beginning of the file, all of it or at least 64 KiB, of which no more is looked at. A shorter sample is
 * taken for the whole file; of a longer one, the last record may be cut and is not counted.
 * Throws {@link CsvError} where the byte order mark contradicts the encoding that the pipeline sets.
 */
export function decideDialect(sample: Buffer, { columns, csv }: FileFormat): Dialect {
  const head = sample.subarray(0, SAMPLE_BYTES);
  const whole = head.length < SAMPLE_BYTES;
  const { encoding, bomBytes } = decideEncoding(head, whole, csv.encoding);
  const bytes = head.subarray(bomBytes);
  const text = toUtf8(encoding)?.convert(bytes, whole) ?? bytes;
  const delimiter = csv.delimiter === 'auto' ? detectDelimiter(text, whole, csv) : csv.delimiter;
  const decimals = columns.filter((column) => column.type === 'decimal').map((column) => column.name);
  const decimalMark =
    csv.decimalMark === 'auto' ? detectDecimalMark(text, whole, csv, delimiter, decimals) : csv.decimalMark;
  return { encoding, bomBytes, delimiter, decimalMark };
}

export function grammarOf(csv: CsvFormat, delimiter: string): Grammar {
  return { delimiter, quote: csv.quote, comment: csv.comment, trim: csv.trim };
}

/**
 * The delimiter that cuts the header into several fields and the most records into as many, without cutting through
 * quotes; of equals the one that gives more fields, then the first of `;` tab `|` `,`. `,` when none cuts the header.
 * In a file without a header line, as many fields as the pipeline names columns go before all else.
 */
function detectDelimiter(text: Buffer, whole: boolean, csv: CsvFormat): Delimiter {
  const named = csv.header?.length ?? null;
  let best: { delimiter: Delimiter; share: number; fields: number } = { delimiter: ',', share: 0, fields: 1 };
  for (const delimiter of DELIMITERS) {
    const { share, fields } = consistency(text, whole, grammarOf(csv, delimiter));
    if (fields < 2) continue;
    const fits = named === fields && named !== best.fields;
    const fitsWorse = named === best.fields && named !== fields;
    const better = share > best.share || (share === best.share && fields > best.fields);
    if (fits || (better && !fitsWorse)) best = { delimiter, share, fields };
  }
  return best.delimiter;
}

/** `fields`: of the first record; `share`: of all records, those (the first among them) that fit this delimiter. */
function consistency(text: Buffer, whole: boolean, grammar: Grammar): { share: number; fields: number } {
  const [delimiter, quote] = [escaped(grammar.delimiter), escaped(grammar.quote)];
  const space = grammar.trim ? '[ \\t]*' : '';
  const inside = `[^${quote}]*`;
  const quotedField = new RegExp(`(^|[${delimiter}])${space}${quote}${inside}(?:${quote}{2}${inside})*${quote}`, 'g');
  let fields = 0;
  let records = 0;
  let fitting = 0;
  for (const { record, splitter } of recordsOf(text, whole, grammar)) {
    if (records++ === 0) fields = record.fields;
    if (record.fields !== fields) continue;
    // A quote that stays when the quoted fields are taken away tells of another delimiter: a;"b,c";d cut at commas.
    const strayQuotes = splitter.bytes.toString('latin1', record.start, record.end).replaceAll(quotedField, '$1');
    if (!strayQuotes.includes(grammar.quote)) fitting++;
  }
  return { share: records === 0 ? 0 : fitting / records, fields };
}

const escaped = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;

/**
 * `,` only where values of the columns `decimals` end in a comma and digits and none in a point and digits; doubt means
 * the point, so that no value becomes another number.
 */
function detectDecimalMark(
  text: Buffer,
  whole: boolean,
  csv: CsvFormat,
  delimiter: Delimiter,
  decimals: readonly string[],
): '.' | ',' {
  if (decimals.length === 0) return '.';
  const grammar = grammarOf(csv, delimiter);
  let header = csv.header;
  let places: number[] | null = null;
  let commas = false;
  for (const { record, splitter } of recordsOf(text, whole, grammar)) {
    if (record.fault) continue;
    const cells = readCells([splitter.bytes.toString('utf8', record.start, record.end)], grammar)[0]!;
    if (header === null) {
      header = cells;
      continue;
    }
    places ??= decimals.map((name) => header!.indexOf(name));
    if (cells.length !== header.length) continue;
    for (const place of places) {
      const value = trimSpaces(cells[place] ?? '');
      if (csv.nulls.includes(value)) continue;
      if (/\.\d+$/.test(value)) return '.';
      commas ||= /,\d+$/.test(value);
    }
  }
  return commas ? ',' : '.';
}

function* recordsOf(
  text: Buffer,
  whole: boolean,
  grammar: Grammar,
): Generator<{ record: RawRecord; splitter: RecordSplitter }> {
  const splitter = new RecordSplitter(grammar);
  splitter.push(text);
  if (whole) splitter.finish();
  for (let record = splitter.next(); record !== null; record = splitter.next()) yield { record, splitter };
}
