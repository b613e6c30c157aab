// Fourth step: the texts of records, whose borders the splitter has found -> their cells, without quotes.
import { parse } from 'csv-parse/sync';
import type { Grammar } from './split-records.js';

/**
 * As many cells as the splitter has counted fields. Records without any quote, which most are, are cut at delimiters; the
 * others go through csv-parse, all in one call, since a call costs more than a record.
 */
export function readCells(texts: readonly string[], grammar: Grammar): string[][] {
  const quoted = texts.filter((text) => text.includes(grammar.quote));
  const parsed = quoted.length === 0 ? [] : parseQuoted(quoted, grammar);
  let next = 0;
  return texts.map((text) => (text.includes(grammar.quote) ? parsed[next++]! : cut(text, grammar)));
}

function cut(text: string, { delimiter, trim }: Grammar): string[] {
  const cells = text.split(delimiter);
  return trim ? cells.map(trimSpaces) : cells;
}

function parseQuoted(texts: readonly string[], { delimiter, quote, trim }: Grammar): string[][] {
  const rows: string[][] = parse(texts.join('\n'), {
    delimiter,
    quote,
    escape: quote,
    trim,
    record_delimiter: '\n',
    // A quote inside a field that does not begin with one is text. Counting fields is the splitter's work.
    relax_quotes: true,
    relax_column_count: true,
  });
  if (rows.length === texts.length) return rows;
  throw new Error(`csv-parse read ${rows.length} records where the splitter found ${texts.length}`);
}

/** Without ASCII white space at its ends: space, tab, line breaks, vertical tab, form feed. */
export function trimSpaces(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
