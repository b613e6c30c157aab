// Bytes in, records and faults out: what is read, what is told of what is not, and that nothing is lost between.
import { LIMITS, type Dialect } from '#contracts';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { CsvError } from './csv-error.js';
import { textFault } from './decode-text.js';
import { CsvReader, isFault, type CsvFault, type CsvRecord } from './parse-records.js';
import { RecordSplitter, type RawRecord } from './split-records.js';
import { cellsOf, chunksOf, pipelineOf, PLAIN, readAll } from './testing.js';

const format = pipelineOf({});
const COMMAS: Dialect = { encoding: 'utf-8', bomBytes: 0, delimiter: ',', decimalMark: '.' };
const read = (file: string | Buffer, size?: number, dialect?: Dialect) => readAll(file, format, size, dialect);

const placesOf = (records: (CsvRecord | CsvFault)[]) => records.map((r) => [r.row, r.line]);
const faultsOf = (records: (CsvRecord | CsvFault)[]) => records.filter(isFault);

describe('CsvReader', () => {
  it.each<[string, string, (string[] | string)[]]>([
    [
      'RFC 4180 2.1, 2.2: the last break is optional',
      'a,b,c\naaa,bbb,ccc\r\nzzz,yyy,xxx',
      [
        ['aaa', 'bbb', 'ccc'],
        ['zzz', 'yyy', 'xxx'],
      ],
    ],
    ['RFC 4180 2.4: spaces belong to a field', 'a,b\n x , y\n', [[' x ', ' y']]],
    ['RFC 4180 2.5: fields may be quoted or not', 'a,b,c\n"aaa","bbb",ccc\n', [['aaa', 'bbb', 'ccc']]],
    [
      'RFC 4180 2.6: quoted breaks and commas',
      'a,b,c\n"aaa","b\r\nb,b","ccc"\r\nzzz,yyy,xxx',
      [
        ['aaa', 'b\r\nb,b', 'ccc'],
        ['zzz', 'yyy', 'xxx'],
      ],
    ],
    ['RFC 4180 2.7: doubled quotes', 'a,b,c\n"aaa","b""bb","""ccc"""\n', [['aaa', 'b"bb', '"ccc"']]],
    [
      'empty fields',
      'a,b,c\n,,\n"","",""\n',
      [
        ['', '', ''],
        ['', '', ''],
      ],
    ],
    ['a quote inside a field', 'a,b\nTV 32",x"y"z\n', [['TV 32"', 'x"y"z']]],
    [
      'blank lines between',
      'a,b\n\n1,2\n\r\n\n3,4\n\n',
      [
        ['1', '2'],
        ['3', '4'],
      ],
    ],
    [
      'a lone CR',
      'a,b\r1,2\r3,4',
      [
        ['1', '2'],
        ['3', '4'],
      ],
    ],
    ['a byte order mark', '\ufeffa;b\n1;2\n', [['1', '2']]],
    ['one column, an empty value in quotes', 'a\n""\nx\n', [[''], ['x']]],
    [
      'ragged rows between good ones',
      'a,b\n1,2\n3\n5,6\n7,8,9\n10,11\n',
      [['1', '2'], 'ragged', ['5', '6'], 'ragged', ['10', '11']],
    ],
    ['names and values of objects', '__proto__,constructor\n__proto__,toString\n', [['__proto__', 'toString']]],
    ['beyond the basic plane', 'a,b\n😀,"São\nPaulo"\n', [['😀', 'São\nPaulo']]],
  ])('%s', async (_, file, expected) => {
    for (const size of [undefined, 1, 3]) expect(cellsOf(await read(file, size))).toEqual(expected);
  });

  it('gives the header as it stands, with the dialect', async () => {
    expect((await read('\ufeff"a;1"; b \r\n')).head).toEqual({
      header: ['a;1', ' b '],
      dialect: { encoding: 'utf-8', bomBytes: 3, delimiter: ';', decimalMark: '.' },
    });
  });

  it('keeps to a dialect that is given', async () => {
    const file = await read('a;b\n1;2\n', undefined, COMMAS);
    expect(file.head!.header).toEqual(['a;b']);
    expect(cellsOf(file)).toEqual([['1;2']]);
  });

  it.each(['', '\ufeff', '\n\r\n\r', '\ufeff\n'])('%j has no header and no records', async (file) => {
    expect(await read(file)).toEqual({ head: null, records: [] });
  });

  it('numbers records and lines, blank lines and quoted breaks counted as lines', async () => {
    const file = '\ufeffa,b\n\n1,"x\ny"\n2\n\n3,4\n';
    const { records } = await read(file);
    expect(placesOf(records)).toEqual([
      [1, 3],
      [2, 5],
      [3, 7],
    ]);
  });

  it('tells of faults where and why, with the record as it stood', async () => {
    const bytes = Buffer.concat([
      Buffer.from('a,b\nolá,1\nS'),
      Buffer.from([0xe3]),
      Buffer.from('o,2\nx\0,3\n"q"x,4\n1,2,3\n'),
    ]);
    const { records } = await read(bytes);
    expect(faultsOf(records)).toEqual([
      { row: 2, line: 3, column: null, code: 'encoding', message: 'the record is not valid UTF-8', raw: 'S\ufffdo,2' },
      { row: 3, line: 4, column: null, code: 'nul', message: 'the record holds a NUL byte', raw: 'x\0,3' },
      {
        row: 4,
        line: 5,
        column: null,
        code: 'quote',
        message: 'there is text after the closing quote of field 1 (line 5)',
        raw: '"q"x,4',
      },
      {
        row: 5,
        line: 6,
        column: null,
        code: 'ragged',
        message: 'the record has 3 fields, the header has 2',
        raw: '1,2,3',
      },
    ]);
    expect((records[0] as CsvRecord).raw()).toBe('olá,1');
  });

  it('names the column whose field is too large, and reads one that is just not', async () => {
    const limit = LIMITS.fieldBytes;
    const { records } = await read(`a,b\nx,"${'é'.repeat(limit / 2)}"\nx,"${'é'.repeat(limit / 2)}é"\ny,z\n`);
    expect(records.map((r) => (isFault(r) ? [r.column, r.code, r.message] : r.cells[0]))).toEqual([
      'x',
      ['b', 'too_large', `column "b" is larger than ${limit} bytes`],
      'y',
    ]);
  });

  it.each([
    ['plain', '', ''],
    ['quoted', '"', '"'],
  ])('passes a %s field of 10 MB', async (_, open, close) => {
    const file = await read(`a,b\n1,2\n3,${open}${'x'.repeat(10_000_000)}${close}\n5,6\n`);
    const { records } = file;
    expect(cellsOf(file)).toEqual([['1', '2'], 'too_large', ['5', '6']]);
    expect(placesOf(records)).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    // A little more than a dead letter keeps, so that it is seen to be cut.
    expect(faultsOf(records)[0]!.raw.length).toBe(LIMITS.deadLetterRawBytes + 4);
  });

  it.each<[string, Buffer, string, RegExp]>([
    ['bytes that are no text', Buffer.from('cidade,\xff\xfe\n1,2\n', 'latin1'), 'encoding', /save the file as UTF-8/],
    ['UTF-16 without', Buffer.from('a,b\n1,2\n', 'utf16le'), 'nul', /UTF-16/],
    ['an unclosed quote', Buffer.from('a,"b\n1,2\n'), 'quote', /begins on line 1/],
    ['2 MB without a break', Buffer.alloc(2_000_000, 0x61), 'too_large', /larger than/],
    ['a name of 70 KB', Buffer.from(`a,${'b'.repeat(70_000)}\n1,2\n`), 'too_large', /column 2/],
  ])('throws for a header in %s', async (_, file, code, message) => {
    const error: unknown = await new CsvReader(chunksOf(file), format).readHeader().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CsvError);
    expect(error).toMatchObject({ code, retriable: false, message: expect.stringMatching(message) as string });
  });

  it('closes its source when the reading is given up', async () => {
    let closed = 0;
    async function* source(text: string) {
      try {
        for (;;) yield Buffer.from(text.repeat(70_000));
      } finally {
        closed++;
      }
    }
    for await (const batch of new CsvReader(source('a,b\n'), format).batches()) {
      expect(batch.length).toBe(1_000);
      break;
    }
    expect(closed).toBe(1);
    await expect(new CsvReader(source('x"\0'), format).readHeader()).rejects.toThrow(CsvError);
    expect(closed).toBe(2);
  });

  it('reads back what was written, whatever the cells and the cutting', async () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => text.replaceAll('\0', ''));
    const hostile = fc.constantFrom('"', '""', ',', ';', '\n', '\r\n', ' ', '', 'a"b', '\ufeff');
    const row = fc.array(fc.oneof(cell, hostile), { minLength: 3, maxLength: 3 });
    const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 20 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.integer({ min: 1, max: 50 }),
        async (rows, end, size) => {
          const file = [['h1', 'h2', 'h3'], ...rows].map((cells) => cells.map(quoted).join(',') + end).join('');
          expect(cellsOf(await read(file, size))).toEqual(rows);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives every record of any bytes, read or at fault, and reads cells as csv-parse does', async () => {
    const byte = fc.oneof(fc.constantFrom(...Buffer.from('",;\n\r "a"1,\n\r')), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(byte, { maxLength: 200 }), fc.integer({ min: 1, max: 64 }), async (bytes, size) => {
        const file = Buffer.concat([Buffer.from('h1,h2\n'), Buffer.from(bytes)]);
        const { records } = await read(file, size, COMMAS);
        const splitter = new RecordSplitter(PLAIN);
        splitter.push(file);
        splitter.finish();
        const raws: RawRecord[] = [];
        for (let raw = splitter.next(); raw !== null; raw = splitter.next()) raws.push(raw);
        expect(placesOf(records)).toEqual(raws.slice(1).map((raw) => [raw.number - 1, raw.line]));
        for (const [index, raw] of raws.slice(1).entries()) {
          const record = records[index]!;
          const bytesOf = file.subarray(raw.start, raw.end);
          if (raw.fault || textFault(bytesOf, 'utf-8') || raw.fields !== 2) expect(isFault(record)).toBe(true);
          else expect([(record as CsvRecord).cells]).toEqual(asCsvParse(bytesOf));
        }
      }),
      { numRuns: Number(process.env.CAUDAL_CASES ?? 2_000) },
    );
  });
});

/** The other implementation. It would take a byte order mark off every record, so an unmarked one goes before. */
function asCsvParse(record: Buffer): string[][] {
  const mark = Buffer.from('\ufeff');
  return parse(Buffer.concat([mark, record]), { bom: true, relax_quotes: true, relax_column_count: true });
}
