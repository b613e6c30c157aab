// Fourth step: the text of one record, whose borders the splitter has found -> its cells, without quotes.
import type { Grammar } from './split-records.js';

/** As many cells as the splitter has counted fields. Records without any quote, which most are, are cut at delimiters. */
export function readCells(text: string, grammar: Grammar): string[] {
  if (!text.includes(grammar.quote)) {
    const cells = text.split(grammar.delimiter);
    return grammar.trim ? cells.map(trimSpaces) : cells;
  }
  const { delimiter, quote, trim } = grammar;
  const cells: string[] = [];
  for (let at = 0; ; at++) {
    const start = trim ? pastSpaces(text, at, delimiter) : at;
    if (text[start] === quote) {
      const close = closingQuote(text, start + 1, quote);
      const inside = text.slice(start + 1, close);
      cells.push(inside.includes(quote) ? inside.replaceAll(quote + quote, quote) : inside);
      at = trim ? pastSpaces(text, close + 1, delimiter) : close + 1;
    } else {
      const end = text.indexOf(delimiter, at);
      const cell = text.slice(at, end === -1 ? text.length : end);
      cells.push(trim ? trimSpaces(cell) : cell);
      at += cell.length;
    }
    if (at >= text.length) return cells;
  }
}

/** Place of the lone quote that ends the field; quotes inside are doubled. */
function closingQuote(text: string, from: number, quote: string): number {
  let at = text.indexOf(quote, from);
  while (text[at + 1] === quote) at = text.indexOf(quote, at + 2);
  return at;
}

function pastSpaces(text: string, from: number, delimiter: string): number {
  let at = from;
  while ((text[at] === ' ' || text[at] === '\t') && text[at] !== delimiter) at++;
  return at;
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
