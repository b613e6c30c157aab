// Third step: UTF-8 bytes -> the places of raw records. Knows quotes, delimiters and line breaks, nothing of what fields mean.
//
// Grammar (RFC 4180): a field that begins with a quote ends at the next lone quote and may hold line breaks; in any
// other field a quote is plain text. Records end at LF, CRLF or a lone CR. Lines without any character and lines that
// begin with the comment character are no records. With `trim`, spaces and tabs around a quoted field are not part of it.
//
// A record that breaks the grammar, or is over the cap, is given out as ONE faulty line: reading goes on right after
// the line on which it began, so that a stray quote never hides the lines below it. What the failed attempt has looked
// at is then read line by line (no quoted line breaks there): each byte is looked at a bounded number of times,
// whatever the file. All this depends on the bytes only, never on how they were cut into chunks.

/** A record's bytes, its line break not counted: more is a fault. Also bounds what is kept in memory. */
export const RECORD_BYTES = 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;

/** How the file's records are written; all characters are ASCII. */
export interface Grammar {
  readonly delimiter: string;
  readonly quote: string;
  readonly comment: string | null;
  readonly trim: boolean;
}

export interface RecordFault {
  code: 'quote' | 'too_large';
  message: string;
}

/** `start` and `end` are places in {@link RecordSplitter.bytes}, valid until the next `push`. */
export interface RawRecord {
  /** The how-manieth record of the file this is, from 1 (the header too). */
  readonly number: number;
  /** 1-based line at which it begins. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  /** Number of fields; 0 with a fault. */
  readonly fields: number;
  readonly fault: RecordFault | null;
}

/** Splits the bytes given by `push` (and, after the last, `finish`); `next` until null, then push more. */
export class RecordSplitter {
  readonly #delimiter: number;
  readonly #quote: number;
  /** -1: there are none. */
  readonly #comment: number;
  readonly #trim: boolean;
  readonly #recordBytes: number;
  #bytes: Buffer = Buffer.alloc(0);
  /** Offset of `#bytes[0]` since the first push. */
  #base = 0;
  #at = 0;
  #line = 1;
  #number = 0;
  #finished = false;
  /** `#at` is inside a line that is done with: at its line break, or far from it (a comment, too large a record). */
  #lineDone = false;
  /** Records that begin below this offset must end on their line: a failed attempt has read them already. */
  #lineByLineUntil = 0;

  constructor(grammar: Grammar, recordBytes = RECORD_BYTES) {
    this.#delimiter = grammar.delimiter.charCodeAt(0);
    this.#quote = grammar.quote.charCodeAt(0);
    this.#comment = grammar.comment === null ? -1 : grammar.comment.charCodeAt(0);
    this.#trim = grammar.trim;
    this.#recordBytes = recordBytes;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Bytes given and not yet read. At most about the cap, when `next` has answered null. */
  get pendingBytes(): number {
    return this.#bytes.length - this.#at;
  }

  /** Bytes read so far since the first push. */
  get consumedBytes(): number {
    return this.#base + this.#at;
  }

  push(chunk: Buffer): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#base += this.#at;
    this.#at = 0;
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
  }

  finish(): void {
    this.#finished = true;
  }

  /** The next record, or null: push more bytes, or, after `finish`, there is none. */
  next(): RawRecord | null {
    if (!this.#toRecordStart()) return null;
    const bytes = this.#bytes;
    const start = this.#at;
    const limit = Math.min(bytes.length, start + this.#recordBytes + 1);
    const lineByLine = this.#base + start < this.#lineByLineUntil;
    const quote = this.#quote;
    let at = start;
    let breaks = 0;
    for (let fields = 1; ; fields++, at++) {
      if (this.#trim) at = this.#pastSpaces(at, limit);
      if (at < limit && bytes[at] === quote) {
        const quoteLine = this.#line + breaks;
        for (at++; ; at++) {
          if (at >= limit) return this.#stopped(start, quoteLine);
          const byte = bytes[at]!;
          if (byte === quote) {
            if (at + 1 >= limit && !this.#isLastOf(start, at)) return this.#stopped(start, quoteLine);
            if (bytes[at + 1] !== quote) break;
            at++;
          } else if (byte === LF || (byte === CR && bytes[at + 1] !== LF)) {
            if (lineByLine) return this.#faulty(start, at, unclosed(quoteLine, 'on its line'));
            breaks++;
          }
        }
        at++;
        if (this.#trim) at = this.#pastSpaces(at, limit);
        if (at < limit && !this.#endsField(bytes[at]!)) {
          return this.#faulty(start, at, textAfter(fields, quoteLine, this.#line + breaks));
        }
      } else {
        while (at < limit && !this.#endsField(bytes[at]!)) at++;
      }
      if (at >= limit) {
        return this.#isLastOf(start, at - 1) ? this.#take(start, at, fields, breaks) : this.#stopped(start, null);
      }
      if (bytes[at] !== this.#delimiter) return this.#take(start, at, fields, breaks);
    }
  }

  #pastSpaces(from: number, limit: number): number {
    let at = from;
    while (at < limit && (this.#bytes[at] === SPACE || this.#bytes[at] === TAB) && this.#bytes[at] !== this.#delimiter)
      at++;
    return at;
  }

  #endsField(byte: number): boolean {
    return byte === this.#delimiter || byte === LF || byte === CR;
  }

  /** Is the byte at `at` the file's last, and within the cap of the record that begins at `start`? */
  #isLastOf(start: number, at: number): boolean {
    return this.#finished && at + 1 === this.#bytes.length && at - start < this.#recordBytes;
  }

  /** Moves to the first byte of a record: past the end of the last one's line, blank lines and comments. */
  #toRecordStart(): boolean {
    const bytes = this.#bytes;
    while (this.#at < bytes.length) {
      const byte = bytes[this.#at]!;
      if (byte === LF || byte === CR) {
        const next = bytes[this.#at + 1];
        // A CR that ends the bytes may be half of a CRLF.
        if (byte === CR && next === undefined && !this.#finished) return false;
        this.#at += byte === CR && next === LF ? 2 : 1;
        this.#line++;
        this.#lineDone = false;
      } else if (this.#lineDone) {
        this.#at = lineEnd(bytes, this.#at, bytes.length);
      } else if (byte === this.#comment) {
        this.#lineDone = true;
      } else {
        return true;
      }
    }
    return false;
  }

  /** The record goes on where the bytes or the cap end; `quoteLine`: where the quote it is in begins. */
  #stopped(start: number, quoteLine: number | null): RawRecord | null {
    const at = start + this.#recordBytes;
    if (this.#bytes.length <= at) {
      if (!this.#finished) return null;
      return this.#faulty(start, this.#bytes.length, unclosed(quoteLine!, 'before the end of the file'));
    }
    // A single line of such a size is no matter of a forgotten quote.
    const quoted = quoteLine !== null && lineEnd(this.#bytes, start, at) < at;
    const tooLarge = { code: 'too_large', message: `the record is larger than ${this.#recordBytes} bytes` } as const;
    return this.#faulty(start, at, quoted ? unclosed(quoteLine, `within ${this.#recordBytes} bytes`) : tooLarge);
  }

  #take(start: number, end: number, fields: number, breaks: number): RawRecord {
    const record = { number: ++this.#number, line: this.#line, start, end, fields, fault: null };
    this.#line += breaks;
    this.#at = end;
    this.#lineDone = true;
    return record;
  }

  /** Gives out the line that begins at `start` with a fault that was found at `at`; null when the line goes on. */
  #faulty(start: number, at: number, fault: RecordFault): RawRecord | null {
    const limit = Math.min(this.#bytes.length, start + this.#recordBytes);
    const end = lineEnd(this.#bytes, start, limit);
    if (end === this.#bytes.length && !this.#finished) return null;
    this.#lineByLineUntil = Math.max(this.#lineByLineUntil, this.#base + lineStart(this.#bytes, start, at));
    const record = { number: ++this.#number, line: this.#line, start, end, fields: 0, fault };
    this.#at = end;
    this.#lineDone = true;
    return record;
  }
}

function unclosed(quoteLine: number, where: string): RecordFault {
  return { code: 'quote', message: `the quote that begins on line ${quoteLine} is not closed ${where}` };
}

/** Over several lines it is the beginning that is wrong: an unclosed quote that has met the next one. */
function textAfter(field: number, beginLine: number, endLine: number): RecordFault {
  const begun =
    beginLine === endLine ? '' : `; the quote begins on line ${beginLine} and may not have been closed there`;
  return {
    code: 'quote',
    message: `there is text after the closing quote of field ${field} (line ${endLine})${begun}`,
  };
}

/** Place of the first line break in [from, to), or `to`. */
function lineEnd(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== LF && bytes[at] !== CR) at++;
  return at;
}

/** Where the line that holds `at` begins, not before `from`. */
function lineStart(bytes: Buffer, from: number, at: number): number {
  let start = at;
  while (start > from && bytes[start - 1] !== LF && bytes[start - 1] !== CR) start--;
  return start;
}
