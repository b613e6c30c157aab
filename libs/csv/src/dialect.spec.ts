// How a file is written, found out from its first 64 KiB: a table of files as people send them.
import { decideDialect, SAMPLE_BYTES } from './dialect.js';
import { pipelineOf } from './testing.js';

const plain = pipelineOf({});
const delimiterOf = (text: string, pipeline = plain) => decideDialect(Buffer.from(text), pipeline).delimiter;

describe('the delimiter', () => {
  it.each([
    ['comma', 'a,b,c\n1,2,3\n', ','],
    ['semicolon with decimal commas', 'a;b;c\nx;1,5;2,5\ny;3,5;4,5\n', ';'],
    ['tab with commas in the text', 'id\tname\n1\tRua A, 5\n2\tRua B, 6\n', '\t'],
    ['pipe', 'id|name|x\n1|a|b\n', '|'],
    ['the delimiter of a quoted field does not count', 'a;"b,c,d";e\n1;"2,3,4";5\n', ';'],
    ['nor where it would give more fields', 'a;"b,c,d"\n1;"2,3,4"\n', ';'],
    ['quotes inside fields do not decide', 'a;b;c\nTV 32";1,2;3\nTV 40";1,2;3\n', ';'],
    ['quoted line breaks', 'a;b\n"x\n,,\n";2\n"y,\n";3\n', ';'],
    ['CRLF and blank lines', '\r\na;b\r\n\r\n1;2\r\n', ';'],
    ['a lone CR', 'a;b\r1;2\r', ';'],
    ['a header alone: the one with most fields', 'a,b;c;d\n', ';'],
    ['a header without a line break', 'a|b', '|'],
    ['the header has both, the rows one', 'a,b|c,d\n1,2,3\n4,5,6\n', ','],
    ['a few ragged rows do not decide', 'a;b;c\n1;2;3\n1;2\n1;2;3\n1;2;3;4\n', ';'],
    ['the last row of a short file counts', 'a,b|c\n1|2', '|'],
    ['one column', 'name\nx\ny\n', ','],
    ['one column, delimiters in its values', 'name\nx;1\ny;2\n', ','],
    ['nothing', '', ','],
    ['a header that is not readable', '"a;b\n1;2', ','],
  ])('%s', (_, text, delimiter) => {
    expect(delimiterOf(text)).toBe(delimiter);
  });

  it('knows quotes, comments and spaces as the pipeline has them', () => {
    expect(delimiterOf("a;'b,c,d';e\n1;'2,3,4';5\n", pipelineOf({}, 'quote: "\'"'))).toBe(';');
    expect(delimiterOf('#,,,,,\na;b\n#,,,,\n1;2\n', pipelineOf({}, 'comment: "#"'))).toBe(';');
    expect(delimiterOf('a; "b,c,d" ;e\n1; "2,3,4" ;5\n', pipelineOf({}, 'trim: true'))).toBe(';');
  });

  it('gives a file without a header line as many fields as the pipeline names', () => {
    const named = pipelineOf({}, 'header: [id, b, c]');
    expect(delimiterOf('1;a,b,c,d;e\n2;f,g,h,i;j\n', named)).toBe(';');
    expect(delimiterOf('1,5;2,5;3,5\n1,5;2,5;3,5\n', named)).toBe(';');
    expect(delimiterOf('1;2,3,4,5\n', named)).toBe(',');
  });

  it('takes no decimal comma for a delimiter where both cut all records alike', () => {
    expect(delimiterOf('SP;1,5\nRJ;2,5\n', pipelineOf({}, 'header: [id, b]'))).toBe(';');
    expect(delimiterOf('Osasco, SP;1,5;2\n', pipelineOf({}, 'header: [id, b, c]'))).toBe(';');
  });

  it('is the one that the pipeline sets', () => {
    expect(delimiterOf('a,b,c\n1,2,3\n', pipelineOf({}, 'delimiter: pipe'))).toBe('|');
    expect(delimiterOf('a,b,c\n1,2,3\n', pipelineOf({}, 'delimiter: tab'))).toBe('\t');
  });

  it('looks at no more than the first 64 KiB', () => {
    const text = 'a,b|c\n' + '1,2\n'.repeat(SAMPLE_BYTES / 4) + '1|2\n'.repeat(SAMPLE_BYTES);
    expect(delimiterOf(text)).toBe(',');
  });

  it('does not count a row that is cut there', () => {
    expect(delimiterOf(`a,b|c\n1,${'2'.repeat(SAMPLE_BYTES)}`)).toBe('|');
    expect(delimiterOf(`a,b|c\n1,${'2'.repeat(1000)}`)).toBe(',');
  });
});

describe('the decimal mark', () => {
  const valued = pipelineOf({ valor: '{ type: decimal }', nome: '{ type: string }' });
  it.each<[string, string, string]>([
    ['commas and digits at the end', 'id;valor;nome\n1;1000,00;x\n2;5;y\n', ','],
    ['quoted, with points for thousands', 'id,valor,nome\n1,"1.234,56",x\n', ','],
    ['points', 'id;valor;nome\n1;10.5;x\n', '.'],
    ['both: doubt is a point', 'id;valor;nome\n1;1000,00;x\n2;10.5;y\n', '.'],
    ['a comma for thousands and a point for the fraction', 'id;valor;nome\n1;1,234.56;x\n', '.'],
    ['whole numbers alone', 'id;valor;nome\n1;10;x\n', '.'],
    ['commas in other columns', 'id;valor;nome\n1;10;1,5\n', '.'],
    ['points in other columns', 'id;valor;nome\n1;10,5;1.5\n', ','],
    ['a comma without digits after it', 'id;valor;nome\n1;10,;x\n', '.'],
    ['spaces around', 'id;valor;nome\n1; 10,5 ;x\n', ','],
    ['ragged rows do not count', 'id;valor;nome\n1;10,5;x\n2;10.5\n', ','],
    ['no value at all', 'id;valor;nome\n', '.'],
    ['no such column', 'id;nome\n1;1,5\n', '.'],
  ])('%s', (_, text, mark) => {
    expect(decideDialect(Buffer.from(text), valued).decimalMark).toBe(mark);
  });

  it('is not looked for where the pipeline sets it, and null spellings do not count', () => {
    const set = pipelineOf({ valor: '{ type: decimal }' }, 'decimal_mark: ","');
    expect(decideDialect(Buffer.from('id;valor\n1;1.5\n'), set).decimalMark).toBe(',');
    const nulls = pipelineOf({ valor: '{ type: decimal }' }, 'nulls: ["", "0.0"]');
    expect(decideDialect(Buffer.from('id;valor\n1;0.0\n2;1,5\n'), nulls).decimalMark).toBe(',');
  });

  it('looks at the first record of a file without a header line, and not beyond 64 KiB', () => {
    const named = pipelineOf({ valor: '{ type: decimal }' }, 'header: [id, valor, x]');
    expect(decideDialect(Buffer.from('1;1,5;x\n'), named).decimalMark).toBe(',');
    const late = `${'1;7,5;x\n'.repeat(SAMPLE_BYTES / 8)}2;7.5;x\n`;
    expect(decideDialect(Buffer.from(late), named).decimalMark).toBe(',');
  });
});
