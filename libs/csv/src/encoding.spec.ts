// Which encoding a file is in, and its text as UTF-8: every byte of the tables, and every way to cut the bytes.
import fc from 'fast-check';
import { isUtf8 } from 'node:buffer';
import { textFault, toUtf8 } from './decode-text.js';
import { decideDialect, SAMPLE_BYTES } from './dialect.js';
import { decideEncoding } from './encoding.js';
import { pipelineOf } from './testing.js';

const of = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const PORTUGUESE = 'id;razao_social\n1;COMÉRCIO DE AÇÚCAR E ÓLEO LTDA\n2;JOSÉ DA SILVA CONSTRUÇÕES\n';

describe('decideEncoding', () => {
  it.each<[string, Buffer, string, number]>([
    ['ASCII', of('id,a\n1,x\n'), 'utf-8', 0],
    ['UTF-8', of(PORTUGUESE), 'utf-8', 0],
    ['UTF-8 with its mark', of('\ufeff', PORTUGUESE), 'utf-8', 3],
    ['UTF-16, little end first', Buffer.from(`\ufeff${PORTUGUESE}`, 'utf16le'), 'utf-16le', 2],
    ['UTF-16, big end first', Buffer.from(`\ufeff${PORTUGUESE}`, 'utf16le').swap16(), 'utf-16be', 2],
    ['latin1', latin1(PORTUGUESE), 'windows-1252', 0],
    ['one word of latin1', latin1('id,cidade\n1,São Paulo\n'), 'windows-1252', 0],
    ['windows-1252', of('id,a\n1,Pau d', [0x92], 'Alho ', [0x96], ' S', [0xe3], 'o\n'), 'windows-1252', 0],
    ['UTF-8 with a damaged row', of(PORTUGUESE, '3;S', [0xe3], 'o\n'), 'utf-8', 0],
    ['bytes that make no words', of('id,a\n1,', [0xff, 0xfe, 0xc3, 0x28], '\n'), 'utf-8', 0],
    ['Russian', of('id,a\n1,', [0xcc, 0xee, 0xf1, 0xea, 0xe2, 0xe0], '\n'), 'utf-8', 0],
    ['nothing', of(), 'utf-8', 0],
  ])('auto: %s', (_, bytes, encoding, bomBytes) => {
    expect(decideEncoding(bytes, true, 'auto')).toEqual({ encoding, bomBytes });
  });

  it('does not take a character that the sample cuts for a damaged one', () => {
    for (let pad = 0; pad < 4; pad++) {
      const bytes = of('x'.repeat(pad), '😀é€'.repeat(SAMPLE_BYTES / 9 + 9));
      expect(decideDialect(bytes, pipelineOf({})).encoding).toBe('utf-8');
    }
  });

  it('is the one set, whose mark is taken off, and no mark of another is passed over', () => {
    expect(decideEncoding(latin1('São'), true, 'utf-8')).toEqual({ encoding: 'utf-8', bomBytes: 0 });
    expect(decideEncoding(of('\ufeffa'), true, 'utf-8').bomBytes).toBe(3);
    expect(decideEncoding(Buffer.from('a', 'utf16le'), true, 'utf-16le')).toEqual({
      encoding: 'utf-16le',
      bomBytes: 0,
    });
    expect(() => decideEncoding(of('\ufeffa'), true, 'latin1')).toThrow('byte order mark of utf-8');
    expect(() => decideEncoding(Buffer.from('\ufeffa', 'utf16le'), true, 'utf-16be')).toThrow('utf-16le');
  });
});

describe('toUtf8', () => {
  const convert = (encoding: Parameters<typeof toUtf8>[0], bytes: Buffer, size = bytes.length || 1) => {
    const decoder = toUtf8(encoding)!;
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      pieces.push(decoder.convert(bytes.subarray(at, at + size), at + size >= bytes.length));
    }
    return Buffer.concat(pieces);
  };
  // Bytes 0x80 to 0x9f of windows-1252 (Unicode's own table); a point where it has none.
  const TABLE = '€.‚ƒ„…†‡ˆ‰Š‹Œ.Ž..‘’“”•–—˜™š›œ.žŸ';

  it('knows every byte of windows-1252 and of latin1', () => {
    for (let byte = 0; byte < 256; byte++) {
      const high = byte >= 0x80 && byte < 0xa0;
      const expected = high ? TABLE[byte - 0x80]! : String.fromCharCode(byte);
      const converted = convert('windows-1252', Buffer.from([byte]));
      if (high && expected === '.') expect([byte, [...converted]]).toEqual([byte, [0xff]]);
      else expect(converted.toString()).toBe(expected);
      const asLatin1 = convert('latin1', Buffer.from([byte]));
      if (high) expect([...asLatin1]).toEqual([0xff]);
      else expect(asLatin1.toString()).toBe(String.fromCharCode(byte));
    }
  });

  it('marks what is no text where it stands', () => {
    expect(convert('latin1', of('a', [0x92], 'b', [0x80, 0x81], 'é'.slice(0, 0)))).toEqual(
      of('a', [0xff], 'b', [0xff, 0xff]),
    );
    const lone = Buffer.from('a\ud800b\udc00\ud83d\ude00c\ud83d\ud83d\ude00', 'utf16le');
    expect(convert('utf-16le', lone)).toEqual(of('a', [0xff], 'b', [0xff], '😀c', [0xff], '😀'));
    expect(convert('utf-16be', Buffer.from(lone).swap16())).toEqual(convert('utf-16le', lone));
    expect(convert('utf-16le', of([0x61, 0x00, 0x62]))).toEqual(of('a', [0xff]));
    expect(textFault(of('a', [0xff]), 'utf-16le')).toEqual({
      code: 'encoding',
      message: 'the record is not valid UTF-16',
    });
  });

  it('gives the same however the bytes are cut, and text comes through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 7 }), fc.boolean(), (text, size, big) => {
        const bytes = Buffer.from(text, 'utf16le');
        const encoded = big ? bytes.swap16() : bytes;
        const encoding = big ? 'utf-16be' : 'utf-16le';
        expect(convert(encoding, encoded, size).toString()).toBe(text);
      }),
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        (units, size, big) => {
          const encoding = big ? 'utf-16be' : 'utf-16le';
          const whole = convert(encoding, Buffer.from(units));
          expect(convert(encoding, Buffer.from(units), size)).toEqual(whole);
          const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
          let valid = true;
          try {
            decoder.decode(units);
          } catch {
            valid = false;
          }
          expect(isUtf8(whole)).toBe(valid);
        },
      ),
    );
  });
});
