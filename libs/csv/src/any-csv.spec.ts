// Any CSV in: a table of whole files as they come from spreadsheets, databases and public offices, each with the
// pipeline's settings that it needs, and the records that must come out, however the bytes are cut.
import { headerProblems } from './header.js';
import { isFault } from './parse-records.js';
import { cellsOf, pipelineOf, readAll } from './testing.js';

const utf16 = (text: string, big = false) =>
  big ? Buffer.from(text, 'utf16le').swap16() : Buffer.from(text, 'utf16le');
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

interface File {
  what: string;
  file: string | Buffer;
  /** More keys of the pipeline's source. */
  source?: string;
  records: (string[] | string)[];
}

const FILES: File[] = [
  {
    what: 'a spreadsheet of Excel in Brazil',
    file: bytes([0xef, 0xbb, 0xbf], 'id;nome\r\n1;São Paulo\r\n2;"Rua A; 5"\r\n'),
    records: [
      ['1', 'São Paulo'],
      ['2', 'Rua A; 5'],
    ],
  },
  {
    what: "Excel's Unicode text",
    file: utf16('\ufeffid\tnome\r\n1\t"São\r\nPaulo"\r\n'),
    records: [['1', 'São\r\nPaulo']],
  },
  { what: 'UTF-16, big end first', file: utf16('\ufeffid,nome\n1,😀\n', true), records: [['1', '😀']] },
  { what: 'UTF-16 without a mark', file: utf16('id,nome\n1,é\n'), source: 'encoding: utf-16le', records: [['1', 'é']] },
  {
    what: 'UTF-16BE without a mark',
    file: utf16('id,nome\n1,é\n', true),
    source: 'encoding: utf-16be',
    records: [['1', 'é']],
  },
  { what: 'latin1, found', file: latin1('id;nome\n1;JOSÉ DA CONCEIÇÃO\n'), records: [['1', 'JOSÉ DA CONCEIÇÃO']] },
  {
    what: 'latin1, set: a byte of windows-1252 is none of its own',
    file: bytes('id;nome\n1;S', [0xe3], 'o\n2;d', [0x92], 'Alho\n'),
    source: 'encoding: latin1',
    records: [['1', 'São'], 'encoding'],
  },
  {
    what: 'windows-1252, set',
    file: bytes('id;nome\n1;d', [0x92], 'Alho\n2;', [0x81], '\n3;', [0x80], '\n'),
    source: 'encoding: windows-1252',
    records: [['1', 'd’Alho'], 'encoding', ['3', '€']],
  },
  {
    what: 'UTF-8 damaged in one row',
    file: bytes('id,nome\n1,São\n2,S', [0xe3], 'o\n3,é\n'),
    records: [['1', 'São'], 'encoding', ['3', 'é']],
  },
  {
    what: 'lone surrogates, a NUL and half a unit in UTF-16',
    file: Buffer.concat([utf16('\ufeffid,nome\n1,a\ud800b\n2,c\n3,\0\n4,\udc00\n5,d'), Buffer.from([0x65])]),
    records: ['encoding', ['2', 'c'], 'nul', 'encoding', 'encoding'],
  },
  { what: 'single quotes', file: "id,nome\n1,'a,b''c'\n", source: 'quote: "\'"', records: [['1', "a,b'c"]] },
  {
    what: 'double quotes are text where others are set',
    file: 'id|nome\n1|"a|b"\n',
    source: 'quote: "\'"\ndelimiter: pipe',
    records: ['ragged'],
  },
  {
    what: 'comments, before the header and between, not inside a record',
    file: '# feito em 2023\nid,nome\n#1,x\n2,#x\n"3","\n# y"\n#',
    source: 'comment: "#"',
    records: [
      ['2', '#x'],
      ['3', '\n# y'],
    ],
  },
  { what: 'no comments unless set', file: 'id,nome\n#1,x\n', records: [['#1', 'x']] },
  {
    what: 'a comment with an open quote and bytes that are no text',
    file: bytes('id,nome\n# "', [0xff, 0], '\n1,é\n'),
    source: 'comment: "#"',
    records: [['1', 'é']],
  },
  {
    what: 'spaces kept',
    file: 'id, nome\n 1 , x \n"2", "y"\n',
    records: [
      [' 1 ', ' x '],
      ['2', ' "y"'],
    ],
  },
  {
    what: 'spaces trimmed around unquoted values, kept inside quotes',
    file: 'id , nome\n 1 ,\tx y \n "2 " , " y, z" \n3,\n',
    source: 'trim: true',
    records: [
      ['1', 'x y'],
      ['2 ', ' y, z'],
      ['3', ''],
    ],
  },
  {
    what: 'tabs that are delimiters are not trimmed',
    file: 'id\tnome\tx\n1\t\t 2 \n',
    source: 'trim: true',
    records: [['1', '', '2']],
  },
  {
    what: 'no header line',
    file: '1;x\n2;y',
    source: 'header: [id, nome]',
    records: [
      ['1', 'x'],
      ['2', 'y'],
    ],
  },
  { what: 'no header line and no record', file: '\n\n', source: 'header: [id, nome]', records: [] },
  {
    what: 'too few, too many: never shifted',
    file: 'id,nome,x\n1,a\n2,a,b,c\n3,a,b\n4\n',
    records: ['ragged', 'ragged', ['3', 'a', 'b'], 'ragged'],
  },
  {
    what: 'blank lines of all kinds of ends are none; a line of spaces is a record',
    file: 'id,nome\r\n\r\n1,x\n\n\r2,y\r \n',
    records: [['1', 'x'], ['2', 'y'], 'ragged'],
  },
  {
    what: 'one column: blank lines are none, quotes make an empty value',
    file: 'id\na\n\n""\nb',
    records: [['a'], [''], ['b']],
  },
  {
    what: 'an unclosed quote costs its line',
    file: 'id,nome\n1,"aberto\n2,x\n3,y\n',
    records: ['quote', ['2', 'x'], ['3', 'y']],
  },
];

describe('any CSV', () => {
  it.each(FILES)('$what', async ({ file, source, records }) => {
    const pipeline = pipelineOf({}, source);
    for (const size of [undefined, 1, 2, 3, 7]) {
      const read = await readAll(file, pipeline, size);
      expect(cellsOf(read)).toEqual(records);
      expect(read.records.map((record) => record.row)).toEqual(records.map((_, index) => index + 1));
      expect(headerProblems(pipeline, read.head!.header)).toEqual([]);
    }
  });

  it('keeps the text of a rejected row as it was decoded, with its line', async () => {
    const { records } = await readAll(latin1('id;nome\n1;JOSÉ\n2;CONCEIÇÃO;3\n'), pipelineOf({}));
    const fault = records.find(isFault)!;
    expect(fault).toMatchObject({ row: 2, line: 3, code: 'ragged', raw: '2;CONCEIÇÃO;3' });
  });

  it('says at which line an unclosed quote began, comments and header lines counted', async () => {
    const { records } = await readAll('# x\nid,nome\n1,"a\nb"\n2,"c\n3,d\n', pipelineOf({}, 'comment: "#"'));
    expect(records.filter(isFault)).toEqual([
      expect.objectContaining({
        row: 2,
        line: 5,
        code: 'quote',
        message: expect.stringContaining('on line 5') as string,
      }),
    ]);
    expect(records).toHaveLength(3);
  });

  it('refuses a file whose byte order mark is another than what is set', async () => {
    await expect(readAll('\ufeffid\n1\n', pipelineOf({}, 'encoding: windows-1252'))).rejects.toMatchObject({
      code: 'encoding',
      message: expect.stringContaining('begins with the byte order mark of utf-8') as string,
    });
  });

  it('reads a file again as it was read before, though it looks otherwise', async () => {
    const pipeline = pipelineOf({});
    const dialect = { encoding: 'windows-1252', bomBytes: 0, delimiter: ';', decimalMark: ',' } as const;
    const read = await readAll('id;a,b,c\n1;é,2,3\n', pipeline, undefined, dialect);
    expect([read.head, cellsOf(read)]).toEqual([{ header: ['id', 'a,b,c'], dialect }, [['1', 'Ã©,2,3']]]);
  });
});
