// Second step: bytes of any encoding -> UTF-8, which is what looks for records; and what keeps a record from being text.
// What is no text in its own encoding becomes a byte that is none in UTF-8: so a fault stays in the record it is in.
import type { Encoding } from '#contracts';
import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';

/** Never a byte of UTF-8. */
const NO_TEXT = Buffer.from([0xff]);

/** Turns the chunks of one file into UTF-8, in order. Without its byte order mark. */
export interface ToUtf8 {
  /** `last`: nothing follows. */
  convert(chunk: Buffer, last: boolean): Buffer;
}

/** Null for UTF-8, whose bytes are taken as they are. */
export function toUtf8(encoding: Encoding): ToUtf8 | null {
  switch (encoding) {
    case 'utf-8':
      return null;
    case 'latin1':
    case 'windows-1252':
      return new SingleByteText(encoding);
    case 'utf-16le':
    case 'utf-16be':
      return new Utf16Text(encoding === 'utf-16be');
  }
}

/**
 * latin1 is ISO 8859-1 to the letter: 0x80 to 0x9f are no text in it (whoever has them means windows-1252, and should
 * say so). TextDecoder takes windows-1252 for latin1, and gives the five bytes that windows-1252 leaves free as control
 * characters: these are no text either.
 */
class SingleByteText implements ToUtf8 {
  readonly #noText: RegExp;
  readonly #decoder: TextDecoder | null;

  constructor(encoding: 'latin1' | 'windows-1252') {
    const latin1 = encoding === 'latin1';
    this.#decoder = latin1 ? null : new TextDecoder(encoding);
    this.#noText = latin1 ? /[\x80-\x9f]/ : /[\x81\x8d\x8f\x90\x9d]/;
  }

  convert(chunk: Buffer): Buffer {
    const text = this.#decoder ? this.#decoder.decode(chunk) : chunk.toString('latin1');
    return utf8Of(text, this.#noText);
  }
}

class Utf16Text implements ToUtf8 {
  /** The beginning of a character whose end has not come yet: up to three bytes. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(private readonly bigEndian: boolean) {}

  convert(chunk: Buffer, last: boolean): Buffer {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let end = bytes.length - (bytes.length % 2);
    if (!last && end > 0 && isHighSurrogate(bytes[this.bigEndian ? end - 2 : end - 1]!)) end -= 2;
    this.#rest = Buffer.from(bytes.subarray(end));
    // Swapped in a copy: the chunk is its giver's.
    const units = this.bigEndian ? Buffer.from(bytes.subarray(0, end)).swap16() : bytes.subarray(0, end);
    const text = units.toString('utf16le');
    const utf8 = text.isWellFormed() ? Buffer.from(text) : utf8Of(text, LONE_SURROGATE);
    return last && this.#rest.length > 0 ? Buffer.concat([utf8, NO_TEXT]) : utf8;
  }
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Of the first byte of a unit, the one with its higher bits. */
function isHighSurrogate(byte: number): boolean {
  return byte >= 0xd8 && byte <= 0xdb;
}

/** The text, with {@link NO_TEXT} for each character that `noText` finds. */
function utf8Of(text: string, noText: RegExp): Buffer {
  if (!noText.test(text)) return Buffer.from(text);
  const pieces = text.split(noText).flatMap((piece) => [NO_TEXT, Buffer.from(piece)]);
  return Buffer.concat(pieces.slice(1));
}

export interface TextFault {
  code: 'encoding' | 'nul';
  message: string;
}

/** What keeps `bytes` (whole records, in UTF-8, of a file in `encoding`) from being text; null when nothing does. */
export function textFault(bytes: Buffer, encoding: Encoding): TextFault | null {
  if (bytes.includes(0)) return { code: 'nul', message: 'the record holds a NUL byte' };
  if (!isUtf8(bytes)) return { code: 'encoding', message: `the record is not valid ${NAMES[encoding]}` };
  return null;
}

/** As {@link textFault}, for the header: here a wrong encoding of the whole file shows, so the message says what to do. */
export function headerTextFault(bytes: Buffer, encoding: Encoding): TextFault | null {
  const fault = textFault(bytes, encoding);
  if (!fault) return null;
  const what =
    fault.code === 'nul'
      ? 'the header holds a NUL byte: the file is UTF-16 or no text at all'
      : `the header is not valid ${NAMES[encoding]}`;
  const message = `${what}; set source.encoding in the pipeline file, or save the file as UTF-8 text and send it again`;
  return { code: fault.code, message };
}

const NAMES: Record<Encoding, string> = {
  'utf-8': 'UTF-8',
  'utf-16le': 'UTF-16',
  'utf-16be': 'UTF-16',
  latin1: 'latin1 (ISO 8859-1; bytes from 0x80 to 0x9f are windows-1252)',
  'windows-1252': 'windows-1252',
};
