// The splitter against a second, naive one made of regular expressions, and against every way to cut the bytes.
import fc from 'fast-check';
import { RECORD_BYTES, RecordSplitter, type Grammar, type RawRecord } from './split-records.js';
import { naiveRecords, PLAIN, type NaiveRecord } from './testing.js';

type Seen = NaiveRecord & { message: string };

const latin1 = (text: string) => Buffer.from(text, 'latin1');

function split(chunks: readonly Buffer[], grammar: Partial<Grammar> = {}, recordBytes = RECORD_BYTES): Seen[] {
  const splitter = new RecordSplitter({ ...PLAIN, ...grammar }, recordBytes);
  const seen: Seen[] = [];
  const drain = () => {
    for (let raw = splitter.next(); raw !== null; raw = splitter.next()) seen.push(toSeen(splitter.bytes, raw));
  };
  chunks.forEach((chunk, index) => {
    splitter.push(chunk);
    if (index === chunks.length - 1) splitter.finish();
    drain();
  });
  expect(splitter.pendingBytes).toBe(0);
  expect(splitter.consumedBytes).toBe(Buffer.concat(chunks).length);
  return seen;
}

function toSeen(bytes: Buffer, raw: RawRecord): Seen {
  const { number, line, start, end, fields, fault } = raw;
  const text = bytes.toString('latin1', start, end);
  return { text, number, line, fields, code: fault?.code ?? null, message: fault?.message ?? '' };
}

const plain = (seen: Seen[]): NaiveRecord[] =>
  seen.map(({ text, number, line, fields, code }) => ({ text, number, line, fields, code }));
/** Few characters, so that quotes, delimiters and line breaks meet in every way. */
const hostile = fc
  .array(fc.constantFrom('"', '"', ',', ',', '\n', '\r', '\r\n', 'a', 'b ', '""', '",', ',"', '"\n', ';'), {
    maxLength: 60,
  })
  .map((parts) => parts.join(''));

describe('RecordSplitter', () => {
  it.each<[string, string, [string, number, number][]]>([
    [
      'LF',
      'a,b\nc,d\n',
      [
        ['a,b', 1, 2],
        ['c,d', 2, 2],
      ],
    ],
    [
      'CRLF',
      'a,b\r\nc,d\r\n',
      [
        ['a,b', 1, 2],
        ['c,d', 2, 2],
      ],
    ],
    [
      'a lone CR',
      'a,b\rc,d\r',
      [
        ['a,b', 1, 2],
        ['c,d', 2, 2],
      ],
    ],
    [
      'no break at the end',
      'a,b\nc,',
      [
        ['a,b', 1, 2],
        ['c,', 2, 2],
      ],
    ],
    [
      'blank lines',
      '\n\r\na\n\n\r\rb\n\n',
      [
        ['a', 3, 1],
        ['b', 7, 1],
      ],
    ],
    [
      'quoted breaks and delimiters',
      '"a\r\nb,","c\n"\nd\n',
      [
        ['"a\r\nb,","c\n"', 1, 2],
        ['d', 4, 1],
      ],
    ],
    ['doubled quotes', '"a""",""""\n', [['"a""",""""', 1, 2]]],
    [
      'an empty quoted field alone',
      '""\nx',
      [
        ['""', 1, 1],
        ['x', 2, 1],
      ],
    ],
    [
      'a quote inside a field is text',
      'a"b,5"\nc\n',
      [
        ['a"b,5"', 1, 2],
        ['c', 2, 1],
      ],
    ],
    [
      'a space before a quote makes it text',
      'a, "b\nc\n',
      [
        ['a, "b', 1, 2],
        ['c', 2, 1],
      ],
    ],
    ['nothing', '', []],
    ['only blank lines', '\r\n\n', []],
  ])('%s', (_, file, records) => {
    expect(split([latin1(file)]).map((seen) => [seen.text, seen.line, seen.fields])).toEqual(records);
    expect(split([latin1(file)]).map((seen) => seen.code)).toEqual(records.map(() => null));
  });

  it('gives out a line with an unclosed quote and reads on below it', () => {
    const seen = split([latin1('1,"abc\n2,x\n3,y\n')]);
    expect(seen.map(({ text, line, code }) => [text, line, code])).toEqual([
      ['1,"abc', 1, 'quote'],
      ['2,x', 2, null],
      ['3,y', 3, null],
    ]);
    expect(seen[0]!.message).toBe('the quote that begins on line 1 is not closed before the end of the file');
  });

  it('names the line of the quote that is not closed, not that of the record', () => {
    const seen = split([latin1('1,"a\nb","c\nd\n')]);
    expect(seen.map(({ text, code }) => [text, code])).toEqual([
      ['1,"a', 'quote'],
      ['b","c', 'quote'],
      ['d', null],
    ]);
    expect(seen[0]!.message).toContain('line 2');
  });

  it('faults text after a closing quote, and a quoted field of the same line below a failure may span lines', () => {
    const seen = split([latin1('1,"a"b,c\n2,"x\n3,"multi\nline"\n4,z\n')]);
    expect(seen.map(({ text, line, code }) => [text, line, code])).toEqual([
      ['1,"a"b,c', 1, 'quote'],
      ['2,"x', 2, 'quote'],
      ['3,"multi\nline"', 3, null],
      ['4,z', 5, null],
    ]);
    expect(seen[0]!.message).toBe('there is text after the closing quote of field 2 (line 1)');
  });

  it('holds records to the cap, exactly', () => {
    const codes = (file: string) => split([latin1(file)], {}, 8).map(({ text, code }) => [text, code]);
    expect(codes('12345678\nx\n')).toEqual([
      ['12345678', null],
      ['x', null],
    ]);
    expect(codes('123456789\nx\n')).toEqual([
      ['12345678', 'too_large'],
      ['x', null],
    ]);
    expect(codes('"123456"\r\nx')).toEqual([
      ['"123456"', null],
      ['x', null],
    ]);
    expect(codes('"1234567"\nx')).toEqual([
      ['"1234567', 'too_large'],
      ['x', null],
    ]);
    expect(codes('"1\n345678\nx')).toEqual([
      ['"1', 'quote'],
      ['345678', null],
      ['x', null],
    ]);
  });

  it('says where a quote began that only the next one has closed', () => {
    const [, faulty, next] = split([latin1('c,v\na,"1\nb,2\nc,"3\nd,4\n')]);
    expect(faulty).toMatchObject({ line: 2, code: 'quote' });
    expect(faulty!.message).toContain('(line 4); the quote begins on line 2');
    expect(next).toMatchObject({ line: 3, code: null });
  });

  it('skips the rest of a line of 10 MB without keeping it', () => {
    const splitter = new RecordSplitter(PLAIN);
    const chunk = Buffer.alloc(64 * 1024, 0x61);
    const seen: RawRecord[] = [];
    let pendingMost = 0;
    for (let i = 0; i < 160; i++) {
      splitter.push(chunk);
      for (let raw = splitter.next(); raw !== null; raw = splitter.next()) seen.push(raw);
      pendingMost = Math.max(pendingMost, splitter.pendingBytes);
    }
    splitter.push(latin1('\nnext,row\n'));
    for (let raw = splitter.next(); raw !== null; raw = splitter.next()) seen.push(raw);
    expect(seen.map(({ line, fault }) => [line, fault?.code])).toEqual([
      [1, 'too_large'],
      [2, undefined],
    ]);
    expect(pendingMost).toBeLessThanOrEqual(RECORD_BYTES);
  });

  it('does not read a chain of quotes again for each of its lines', () => {
    // Every line closes one quote and opens the next, and the last is never closed: 300,000 lines that each fail.
    const file = latin1('x,"\n' + 'b",a,"\n'.repeat(300_000));
    expect(split([file]).length).toBe(300_001);
  });

  it('equals the oracle', () => {
    fc.assert(
      fc.property(hostile, fc.constantFrom(',', ';', '|'), fc.constantFrom(3, 6, 12, 1000), (file, delimiter, cap) => {
        expect(plain(split([latin1(file)], { delimiter }, cap))).toEqual(
          naiveRecords(file, { ...PLAIN, delimiter }, cap),
        );
      }),
      { numRuns: 5_000 },
    );
  });

  it('gives the same records however the bytes are cut', () => {
    fc.assert(
      fc.property(hostile, fc.array(fc.nat(60)), fc.constantFrom(3, 6, 12, 1000), (file, cuts, cap) => {
        const bytes = latin1(file);
        const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, i) => bytes.subarray(places[i], end));
        expect(split(chunks, {}, cap)).toEqual(split([bytes], {}, cap));
        expect(
          split(
            [...bytes].map((byte) => Buffer.from([byte])),
            {},
            cap,
          ),
        ).toEqual(split([bytes], {}, cap));
      }),
      { numRuns: 2_000 },
    );
  });
});
