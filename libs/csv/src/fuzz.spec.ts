// Random files, from nearly good to hostile, in every encoding and with any settings: every record of the file, as a
// naive reader counts them, comes out once, accepted or rejected, and nothing else happens. `npm run test:deep` with
// `--cases N` tries as many files as wanted; the seed is printed, CAUDAL_SEED repeats it.
import type { Pipeline } from '#contracts';
import fc from 'fast-check';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CsvError } from './csv-error.js';
import { grammarOf } from './dialect.js';
import { CsvReader, isFault } from './parse-records.js';
import { cellsOf, chunksOf, naiveRecords, pipelineOf, readAll } from './testing.js';
import { rowTyper } from './type-row.js';

const CREATED_AT_MS = Date.UTC(2024, 0);
const seed = Number(process.env.CAUDAL_SEED ?? Math.floor(Math.random() * 2 ** 31));
const numRuns = Number(process.env.CAUDAL_CASES ?? 1_000);

const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('1', '2.5', '3,5', 'São', 'x', ' ', '\t', '2023-01-10', 'NULL', '') },
  { weight: 6, arbitrary: fc.constantFrom(',', ';', ',', ';', '\t', '|') },
  { weight: 4, arbitrary: fc.constantFrom('\n', '\r\n', '\r', '\n\n') },
  { weight: 3, arbitrary: fc.constantFrom('"', '"', '""', "'", '",', ',"', '"\n', '#') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom('\0', '\ud800', '\udfff', '\ufeff', '1e309', 'NaN', '__proto__', '\x92') },
);
/** Rows that look good, with what people and programs break in them. */
const goodRow = fc
  .tuple(
    fc.nat(99),
    fc.constantFrom('1.5', '1,5', '1.234,50', '', '"a;b"', '"a\nb"', ' "a;\nb" ', "'a;b'"),
    fc.constantFrom('x', 'é', '"y"'),
  )
  .map((cells) => `${cells.join(';')}\n`);
const body = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: goodRow },
      { weight: 2, arbitrary: fc.array(piece, { maxLength: 12 }).map((all) => all.join('')) },
    ),
    {
      maxLength: 60,
    },
  )
  .map((parts) => parts.join(''));
const header = fc.constantFrom('id;valor;nome\n', 'id,valor,nome\r\n', '"nome"|id|"valor"\r', 'id\tvalor\tnome\n', '');
const settings = fc.constantFrom(
  '',
  '',
  'trim: true',
  'comment: "#"',
  'quote: "\'"',
  'header: [id, valor, nome]',
  'trim: true\ncomment: "#"\ndecimal_mark: ","',
  'delimiter: ";"\nnulls: ["", "NULL"]',
);
const encoding = fc.constantFrom(
  'utf-8',
  'utf-8',
  'latin1',
  'windows-1252',
  'utf-16le',
  'utf-16be',
  'auto',
  'auto',
) as fc.Arbitrary<Pipeline['csv']['encoding']>;

function encoded(text: string, how: Pipeline['csv']['encoding']): Buffer {
  if (how === 'utf-16le') return Buffer.from(text, 'utf16le');
  if (how === 'utf-16be') return Buffer.from(text, 'utf16le').swap16();
  return Buffer.from(text, how === 'utf-8' || how === 'auto' ? 'utf8' : 'latin1');
}

/** The file's text for the naive reader. Of single-byte encodings and UTF-8 only ASCII matters to it. */
function naiveText(bytes: Buffer, encodingOf: string): string {
  const utf16 = encodingOf.startsWith('utf-16');
  return utf16 ? new TextDecoder(encodingOf, { ignoreBOM: true }).decode(bytes) : bytes.toString('latin1');
}

describe('any bytes', () => {
  it(`accepts or rejects every record (seed ${seed})`, async () => {
    let read = 0;
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        header,
        body,
        settings,
        encoding,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.integer({ min: 1, max: 500 }),
        async (head, rows, source, how, damages, size) => {
          const bytes = encoded(head + rows, how);
          for (const [at, byte] of damages) if (bytes.length > 0) bytes[at % bytes.length] = byte;
          const columns = { valor: '{ type: decimal }', nome: '{ type: string, max_length: 5 }' };
          const pipeline = pipelineOf(columns, `encoding: ${how}\n${source}`);
          const file = await readAll(bytes, pipeline, size).catch((error: unknown) => {
            if (error instanceof CsvError) return null;
            throw error;
          });
          if (!file?.head) return;
          const { dialect } = file.head;
          const grammar = grammarOf(pipeline.csv, dialect.delimiter);
          const text = naiveText(bytes.subarray(dialect.bomBytes), dialect.encoding);
          const expected = naiveRecords(text, grammar).slice(pipeline.csv.header ? 0 : 1);
          expect(file.records.map((record) => record.line)).toEqual(expected.map((record) => record.line));
          expect(file.records.map((record) => record.row)).toEqual(expected.map((_, index) => index + 1));
          // What is wrong with its form is the same; bytes that are no text go before.
          const width = file.head.header.length;
          const forms = expected.map(({ code, fields }) => code ?? (fields === width ? 'good' : 'ragged'));
          file.records.forEach((record, index) => {
            if (!isFault(record)) expect([index, forms[index]]).toEqual([index, 'good']);
            else if (!['nul', 'encoding'].includes(record.code))
              expect([index, forms[index]]).toEqual([index, record.code]);
          });
          // The same from chunks of any size.
          expect(cellsOf(await readAll(bytes, pipeline, size * 7))).toEqual(cellsOf(file));
          read += file.records.length;
          if (!['id', 'valor', 'nome'].every((name) => file.head!.header.includes(name))) return;
          const typeRow = rowTyper(pipeline, file.head.header, CREATED_AT_MS, dialect.decimalMark);
          for (const record of file.records) if (!isFault(record) && typeRow(record.cells).ok) accepted++;
        },
      ),
      { numRuns, seed, examples: [] },
    );
    // The generator is worth something: rows of both kinds came.
    expect(accepted).toBeGreaterThan(numRuns / 10);
    expect(read - accepted).toBeGreaterThan(numRuns / 10);
  }, 600_000);

  it('keeps memory flat, whatever never ends', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const long = 'x'.repeat(120);
    const streams: [string, string][] = [
      [`a;${long}\n`, 'utf-8'],
      [`a;"${long}\n`, 'utf-8'],
      [`"a""${long}`, 'utf-8'],
      [`#${long}`, 'utf-8'],
      [`\ud800${long}\n`, 'utf-16le'],
      [`a;é${long}\n`, 'windows-1252'],
    ];
    for (const [text, how] of streams) {
      const block = Buffer.from(text.repeat(65_536 / text.length));
      const pipeline = pipelineOf({}, `encoding: ${how}\ncomment: "#"\nheader: [id, b]\ndelimiter: ";"`);
      const reader = new CsvReader(chunksOf(Buffer.concat(Array<Buffer>(320).fill(block)), 65_536), pipeline);
      collect();
      const before = process.memoryUsage().arrayBuffers;
      let most = 0;
      let batches = 0;
      for await (const batch of reader.batches()) {
        expect(batch.length).toBeGreaterThan(0);
        if (batches++ % 40 !== 0) continue;
        collect();
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      }
      expect(most).toBeLessThan(12 * 1024 * 1024);
    }
  }, 120_000);
});
