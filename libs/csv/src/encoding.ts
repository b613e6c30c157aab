// Before anything else: which encoding a file's bytes are in, decided once, from its first 64 KiB.
import type { Encoding } from '#contracts';
import { analyse } from 'chardet';
import { isUtf8 } from 'node:buffer';
import { CsvError } from './csv-error.js';

const BYTE_ORDER_MARKS: { encoding: Encoding; bytes: Buffer }[] = [
  { encoding: 'utf-8', bytes: Buffer.from([0xef, 0xbb, 0xbf]) },
  { encoding: 'utf-16le', bytes: Buffer.from([0xff, 0xfe]) },
  { encoding: 'utf-16be', bytes: Buffer.from([0xfe, 0xff]) },
];

export interface FoundEncoding {
  encoding: Encoding;
  /** Bytes of the byte order mark at the beginning, which are no text. */
  bomBytes: number;
}

/**
 * `setting` as the pipeline has it. `auto`: a byte order mark decides; then UTF-8 where the sample is, or is meant to be,
 * UTF-8; else windows-1252, which reads every latin1 text. `whole`: the sample is the whole file, its last character is
 * not cut. Throws {@link CsvError} where the byte order mark is another encoding's than the one set.
 */
export function decideEncoding(sample: Buffer, whole: boolean, setting: Encoding | 'auto'): FoundEncoding {
  const mark = BYTE_ORDER_MARKS.find(({ bytes }) => sample.subarray(0, bytes.length).equals(bytes));
  if (setting === 'auto') {
    if (mark) return { encoding: mark.encoding, bomBytes: mark.bytes.length };
    return { encoding: guessEncoding(whole ? sample : withoutCutCharacter(sample)), bomBytes: 0 };
  }
  if (!mark) return { encoding: setting, bomBytes: 0 };
  if (mark.encoding !== setting) {
    const message = `the file begins with the byte order mark of ${mark.encoding}, the pipeline sets encoding: ${setting}`;
    throw new CsvError('encoding', `${message}; set ${mark.encoding}, or auto`);
  }
  return { encoding: setting, bomBytes: mark.bytes.length };
}

/** UTF-8 text of one character more than ASCII: 2 to 4 bytes. */
const UTF8_CHARACTER = /[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}/g;
const HIGH_BYTE = /[\x80-\xff]/g;
/** Letters of western languages next to ASCII letters, and signs that stand alone; all in windows-1252. */
const WESTERN = /(?<=[A-Za-z])[À-ÖØ-Üß-ïñ-öø-ü]+|[À-ÖØ-Üß-ïñ-öø-ü]+(?=[A-Za-z])|[ªº°§²³½«»·€‘’“”–—…]/g;

/**
 * A file that holds characters of UTF-8 is UTF-8, damaged in places: the records concerned are rejected. One without
 * any is windows-1252 when chardet finds no other alphabet in it and most of its bytes beyond ASCII make words there.
 */
function guessEncoding(sample: Buffer): 'utf-8' | 'windows-1252' {
  if (isUtf8(sample)) return 'utf-8';
  const text = sample.toString('latin1');
  const intact = text.match(UTF8_CHARACTER)?.join('').length ?? 0;
  const high = text.match(HIGH_BYTE)!.length;
  if (intact > 0 && intact * 2 >= high) return 'utf-8';
  const western = new TextDecoder('windows-1252').decode(sample).match(WESTERN)?.join('').length ?? 0;
  return western * 4 >= high * 3 && looksWestern(sample) ? 'windows-1252' : 'utf-8';
}

const WESTERN_NAMES: ReadonlySet<string> = new Set(['ISO-8859-1', 'windows-1252']);
/** chardet tells these from western text by a letter or two, and is often wrong about it. */
const LATIN_NAMES: ReadonlySet<string> = new Set([
  ...WESTERN_NAMES,
  'ISO-8859-2',
  'ISO-8859-9',
  'windows-1250',
  'windows-1254',
  'windows-1257',
]);

function looksWestern(sample: Buffer): boolean {
  const guesses = analyse(sample);
  const best = (which: (name: string) => boolean) =>
    Math.max(0, ...guesses.filter(({ name }) => which(name)).map(({ confidence }) => confidence));
  return best((name) => WESTERN_NAMES.has(name)) >= best((name) => !LATIN_NAMES.has(name) && name !== 'UTF-8');
}

/** Without the beginning of a UTF-8 character that the sample's end cuts off. */
function withoutCutCharacter(sample: Buffer): Buffer {
  for (let back = 1; back <= 3 && back < sample.length; back++) {
    const byte = sample[sample.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? sample.subarray(0, sample.length - back) : sample;
  }
  return sample;
}
