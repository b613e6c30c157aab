// Which delimiter a file uses: a table of files as people send them.
import { detectDialect, SAMPLE_BYTES } from './dialect.js';

const delimiterOf = (text: string) => detectDialect(Buffer.from(text)).delimiter;

describe('detectDialect', () => {
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

  it('sees a byte order mark, before a quote too', () => {
    expect(detectDialect(Buffer.from('\ufeff"a,x";b\n1,2;3'))).toEqual({ delimiter: ';', bom: true });
    expect(detectDialect(Buffer.from('a,b'))).toEqual({ delimiter: ',', bom: false });
  });

  it('looks at no more than the first 64 KiB', () => {
    const text = 'a,b|c\n' + '1,2\n'.repeat(SAMPLE_BYTES / 4) + '1|2\n'.repeat(SAMPLE_BYTES);
    expect(delimiterOf(text)).toBe(',');
  });

  it('does not count a row that is cut there', () => {
    expect(delimiterOf(`a,b|c\n1|${'2'.repeat(SAMPLE_BYTES)}`)).toBe(',');
    expect(delimiterOf(`a,b|c\n1|${'2'.repeat(1000)}`)).toBe('|');
  });
});
