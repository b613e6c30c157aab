// Rejected records, with the reason and where they came from.
import { LIMITS } from './limits.js';

export const DEAD_LETTER_CODES = [
  'ragged',
  'required',
  'type',
  'domain',
  'range',
  'length',
  'pattern',
  'unique',
  'encoding',
  'nul',
  'too_large',
  'event_time',
  'quote',
] as const;
export type DeadLetterCode = (typeof DEAD_LETTER_CODES)[number];

export interface DeadLetter {
  readonly upload: string;
  /** 1-based record number in the file. */
  readonly row: number;
  /** 1-based line at which the record begins. */
  readonly line: number;
  readonly column: string | null;
  readonly code: DeadLetterCode;
  readonly message: string;
  /** The record as it stood in the file, cut at 8 KiB. */
  readonly raw: string;
  readonly raw_truncated: boolean;
}

/** Cuts `raw` at 8 KiB of UTF-8, at a character's border. */
export function deadLetter(fields: Omit<DeadLetter, 'raw_truncated'>): DeadLetter {
  if (fields.raw.length <= LIMITS.deadLetterRawBytes / 4) return { ...fields, raw_truncated: false };
  const bytes = Buffer.from(fields.raw);
  if (bytes.length <= LIMITS.deadLetterRawBytes) return { ...fields, raw_truncated: false };
  let end: number = LIMITS.deadLetterRawBytes;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return { ...fields, raw: bytes.toString('utf8', 0, end), raw_truncated: true };
}
