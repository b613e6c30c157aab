// Before the first record: which delimiter the file uses, decided once, from its first 64 KiB.
import { bomBytes } from './decode-text.js';
import { RecordSplitter } from './split-records.js';

/** Bytes that decide a dialect; what stands later in the file never changes it. */
export const SAMPLE_BYTES = 64 * 1024;

const DELIMITERS = [',', ';', '\t', '|'] as const;

export interface Dialect {
  delimiter: (typeof DELIMITERS)[number];
  /** The file begins with a UTF-8 byte order mark. */
  bom: boolean;
}

/**
 * The delimiter that cuts the header into several fields and the most records into as many, without cutting through
 * quotes; of equals the one that gives more fields, then the first of `,` `;` tab `|`. `,` when none cuts the header. A sample of less than 64 KiB is
 * taken for the whole file; of a longer one, the last record may be cut and is not counted.
 */
export function detectDialect(sample: Buffer): Dialect {
  const head = sample.subarray(0, SAMPLE_BYTES);
  const bom = bomBytes(head);
  const text = head.subarray(bom);
  let best = { delimiter: DELIMITERS[0] as Dialect['delimiter'], share: 0, fields: 1 };
  for (const delimiter of DELIMITERS) {
    const { share, fields } = consistency(text, delimiter, head.length < SAMPLE_BYTES);
    if (fields < 2) continue;
    if (share > best.share || (share === best.share && fields > best.fields)) best = { delimiter, share, fields };
  }
  return { delimiter: best.delimiter, bom: bom > 0 };
}

/** `fields`: of the header; `share`: of all records, those (the header among them) that fit this delimiter. */
function consistency(text: Buffer, delimiter: string, whole: boolean): { share: number; fields: number } {
  const splitter = new RecordSplitter(delimiter);
  splitter.push(text);
  if (whole) splitter.finish();
  const quotedField = new RegExp(`(^|[${delimiter}])"[^"]*(?:""[^"]*)*"`, 'g');
  let fields = 0;
  let records = 0;
  let fitting = 0;
  for (let record = splitter.next(); record !== null; record = splitter.next()) {
    if (records++ === 0) fields = record.fields;
    if (record.fields !== fields) continue;
    // A quote that stays when the quoted fields are taken away tells of another delimiter: a;"b,c";d cut at commas.
    const strayQuotes = text.toString('latin1', record.start, record.end).replaceAll(quotedField, '$1');
    if (!strayQuotes.includes('"')) fitting++;
  }
  return { share: records === 0 ? 0 : fitting / records, fields };
}
