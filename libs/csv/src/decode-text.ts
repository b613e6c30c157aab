// Second step: is a stretch of bytes the text we read? Today that is UTF-8 without NUL, with or without a BOM.
// Other encodings will be turned into UTF-8 here, before anything looks for records.
import { isUtf8 } from 'node:buffer';

const UTF8_BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Bytes of the UTF-8 byte order mark at the beginning of `head`: 3, or 0 when there is none. */
export function bomBytes(head: Buffer): number {
  return head.subarray(0, UTF8_BOM.length).equals(UTF8_BOM) ? UTF8_BOM.length : 0;
}

export interface TextFault {
  code: 'encoding' | 'nul';
  message: string;
}

/** What keeps `bytes` (whole records) from being text; null when nothing does. */
export function textFault(bytes: Buffer): TextFault | null {
  if (bytes.includes(0)) return { code: 'nul', message: 'the record holds a NUL byte' };
  if (!isUtf8(bytes)) return { code: 'encoding', message: 'the record is not valid UTF-8' };
  return null;
}

/** As {@link textFault}, for the header: here a wrong encoding of the whole file shows, so the message says what to do. */
export function headerTextFault(bytes: Buffer): TextFault | null {
  const fault = textFault(bytes);
  if (!fault) return null;
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  const what = utf16
    ? 'the file is UTF-16'
    : fault.code === 'nul'
      ? 'the header holds a NUL byte: the file is UTF-16 or no text at all'
      : 'the header is not valid UTF-8';
  return { code: utf16 ? 'encoding' : fault.code, message: `${what}; save the file as UTF-8 text and send it again` };
}
