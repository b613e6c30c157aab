// For specs only: pipelines of a few lines, and a file read through as the gate reads it.
import { parsePipelineFile, type Dialect, type Pipeline } from '#contracts';
import type { FileFormat } from './dialect.js';
import { CsvReader, isFault, type CsvFault, type CsvRecord, type FileHead } from './parse-records.js';
import type { Grammar } from './split-records.js';

export const PLAIN: Grammar = { delimiter: ',', quote: '"', comment: null, trim: false };

/**
 * A pipeline with a column `id` (string, required) that groups, and `columns`: `{valor: '{ type: decimal }'}`.
 * `source`: more keys of the source, such as `trim: true`.
 */
export function pipelineOf(columns: Record<string, string>, source = ''): Pipeline {
  const lines = Object.entries({ id: '{ type: string, required: true }', ...columns });
  return parsePipelineFile(
    `
name: p
source:
  columns:
${lines.map(([name, column]) => `    ${JSON.stringify(name)}: ${column}`).join('\n')}
${source.replaceAll(/^/gm, '  ')}
views:
  v: { group_by: [id], window: { type: upload }, features: { n: { count: "*" } }, redis: { key: "{id}" } }
`,
    'p.yaml',
  );
}

export async function* chunksOf(bytes: Buffer, size = 64 * 1024): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface ReadFile {
  head: FileHead | null;
  records: (CsvRecord | CsvFault)[];
}

/** Everything that a reader gives, from chunks of `size` bytes. */
export async function readAll(
  file: string | Buffer,
  format: FileFormat,
  size?: number,
  dialect?: Dialect,
): Promise<ReadFile> {
  const reader = new CsvReader(chunksOf(Buffer.from(file), size), format, dialect);
  const head = await reader.readHeader();
  const records: (CsvRecord | CsvFault)[] = [];
  for await (const batch of reader.batches()) {
    if (batch.length === 0 || batch.length > 1_000) throw new Error(`a batch of ${batch.length} records`);
    records.push(...batch);
  }
  return { head, records };
}

/** The cells of each record, or the code of its fault. */
export const cellsOf = ({ records }: ReadFile): (string[] | string)[] =>
  records.map((record) => (isFault(record) ? record.code : record.cells));

export interface NaiveRecord {
  text: string;
  number: number;
  line: number;
  fields: number;
  code: string | null;
}

/**
 * What a splitter must find, by regular expressions over the whole file as one string, one record after the other.
 * `recordLength`: the cap, in characters.
 */
export function naiveRecords(file: string, grammar: Grammar, recordLength = Infinity): NaiveRecord[] {
  const { delimiter, quote, comment } = grammar;
  const [D, Q] = [`\\u{${delimiter.codePointAt(0)!.toString(16)}}`, `\\u{${quote.codePointAt(0)!.toString(16)}}`];
  const S = grammar.trim ? `(?:(?!${D})[ \\t])*` : '';
  const quoted = `${S}${Q}(?:[^${Q}]|${Q}${Q})*${Q}${S}`;
  const field = `(?:${quoted}|(?!${S}${Q})[^${D}\\r\\n]*)`;
  const record = new RegExp(`${field}(?:${D}${field})*(?=[\\r\\n]|$)`, 'uy');
  const quotedField = new RegExp(`(^|${D})${quoted}`, 'gu');
  const linesOf = (text: string) => text.split(/\r\n|\n|\r/).length - 1;
  const seen: NaiveRecord[] = [];
  let at = 0;
  let lineByLineUntil = 0;
  for (;;) {
    at = pastNoRecords(file, at, comment);
    if (at >= file.length) return seen;
    const line = linesOf(file.slice(0, at)) + 1;
    const number = seen.length + 1;
    record.lastIndex = at;
    const match = record.exec(file)?.[0];
    const firstLine = /^[^\r\n]*/.exec(file.slice(at))![0];
    if (match !== undefined && match.length <= recordLength && (at >= lineByLineUntil || match === firstLine)) {
      const fields = match.replaceAll(quotedField, '$1').split(delimiter).length;
      seen.push({ text: match, number, line, fields, code: null });
      at += match.length;
      continue;
    }
    const { code, failedAt } = naiveFailure(file, at, grammar, recordLength, at < lineByLineUntil);
    seen.push({ text: firstLine.slice(0, recordLength), number, line, fields: 0, code });
    const lineOfFailure = at + /(?:[^\r\n]*[\r\n])*/.exec(file.slice(at, failedAt))![0].length;
    if (at >= lineByLineUntil) lineByLineUntil = lineOfFailure;
    at += firstLine.length;
  }
}

function pastNoRecords(file: string, from: number, comment: string | null): number {
  let at = from;
  for (;;) {
    const blank = /^(?:\r\n|\n|\r)*/.exec(file.slice(at))![0].length;
    // What follows a record on its line is no line of its own.
    const line =
      comment !== null && file[at + blank] === comment && (at + blank === 0 || /[\r\n]/.test(file[at + blank - 1]!));
    at += blank + (line ? /^[^\r\n]*/.exec(file.slice(at + blank))![0].length : 0);
    if (!line) return at;
  }
}

/** Why and where the record that begins at `start` breaks off. */
function naiveFailure(file: string, start: number, grammar: Grammar, recordLength: number, lineByLine: boolean) {
  const { delimiter, quote, trim } = grammar;
  const cap = start + recordLength;
  const breakAt = start + /^[^\r\n]*/.exec(file.slice(start))![0].length;
  const spaces = [' ', '\t'].filter((space) => trim && space !== delimiter);
  const pastSpaces = (from: number) => {
    let at = from;
    while (spaces.includes(file[at] ?? '')) at++;
    return at;
  };
  let at = start;
  for (;;) {
    const open = pastSpaces(at);
    if (file[open] === quote && open <= cap) {
      let close = open + 1;
      while (close < file.length && (file[close] !== quote || file[close + 1] === quote))
        close += file[close] === quote ? 2 : 1;
      if (lineByLine && breakAt < close && breakAt <= cap) return { code: 'quote', failedAt: start };
      if (close >= cap && file.length > cap) return { code: breakAt < cap ? 'quote' : 'too_large', failedAt: cap };
      if (close >= file.length) return { code: 'quote', failedAt: file.length };
      at = pastSpaces(close + 1);
      if (at <= cap && at < file.length && ![delimiter, '\r', '\n'].includes(file[at]!)) {
        return { code: 'quote', failedAt: at };
      }
    } else {
      while (at < file.length && ![delimiter, '\r', '\n'].includes(file[at]!)) at++;
    }
    if (at > cap || file[at] !== delimiter) return { code: 'too_large', failedAt: cap };
    at++;
  }
}
