// Rows as a pipeline declares them: every rule that refuses one, and what a good one becomes.
import { LIMITS, parsePipelineFile, rowEncoder } from '#contracts';
import { rowTyper } from './type-row.js';

const CREATED_AT_MS = Date.parse('2024-06-01T12:00:00Z');
const HEADER = ['estado', 'extra', 'cnpj', 'data', 'cidade', 'capital', 'socios', 'ativa'];

function pipelineWith(columns: string, rest = ''): ReturnType<typeof parsePipelineFile> {
  return parsePipelineFile(
    `
name: p
source:
  columns:
    cnpj: { type: string, required: true }
    data: { type: timestamp, required: true }
    cidade: { type: string, required: true }
${columns}
${rest}
views:
  v:
    group_by: [cidade]
    window: { type: upload }
    features: { n: { count: "*" } }
    redis: { key: "{cidade}" }
`,
    'p.yaml',
  );
}

const pipeline = pipelineWith(
  `    estado: { type: string, domain: [SP, RJ] }
    capital: { type: decimal, min: 0 }
    socios: { type: integer, min: 1, domain: ["1", "02", 9] }
    ativa: { type: boolean }`,
  '  event_time: data',
);
const good = {
  estado: 'SP',
  extra: 'x',
  cnpj: '1',
  data: '2023-01-10',
  cidade: 'São Paulo',
  capital: '65000.00',
  socios: '2',
  ativa: 'TRUE',
};
const typeRow = (changes: Partial<typeof good> = {}) => {
  const row = { ...good, ...changes };
  return rowTyper(pipeline, HEADER, CREATED_AT_MS, '.')(HEADER.map((name) => row[name as keyof typeof good]));
};

describe('rowTyper', () => {
  it('gives the declared columns in their order, the event time and the key', () => {
    expect(typeRow()).toEqual({
      ok: true,
      cells: ['1', '2023-01-10T00:00:00.000Z', 'São Paulo', 'SP', '65000', 2, true],
      timeMs: Date.parse('2023-01-10'),
      key: 'São Paulo',
    });
  });

  it('leaves empty what may be empty', () => {
    const row = typeRow({ estado: '', capital: ' ', socios: '', ativa: '' });
    expect(row).toMatchObject({
      ok: true,
      cells: ['1', '2023-01-10T00:00:00.000Z', 'São Paulo', null, null, null, null],
    });
  });

  it.each<[string, Partial<typeof good>, string, string, string]>([
    ['required', { cnpj: '' }, 'cnpj', 'required', 'is required and empty'],
    ['required, of spaces', { data: '  ' }, 'data', 'required', 'is required and empty'],
    ['a type', { data: '2023-02-30' }, 'data', 'type', 'is not an existing ISO 8601 date or date-time'],
    ['NaN', { capital: 'NaN' }, 'capital', 'type', 'is not a decimal'],
    ['1e309', { capital: '1e309' }, 'capital', 'type', 'is not a decimal'],
    ['a domain', { estado: 'sp' }, 'estado', 'domain', 'is none of the 2 allowed values'],
    ['a domain, not of this many', { socios: '3' }, 'socios', 'domain', 'is none of the 3 allowed values'],
    [
      'the minimum',
      { capital: '-0.00000000000000000000000000000001' },
      'capital',
      'range',
      'is below the minimum of 0',
    ],
    ['64 bits', { socios: '9223372036854775808' }, 'socios', 'range', 'is outside the integers of 64 bits'],
    [
      'a group value',
      { cidade: 'é'.repeat(513) },
      'cidade',
      'length',
      'is longer than the 1024 bytes of a group value',
    ],
    [
      'the future',
      { data: '2024-06-02T12:00:00.001Z' },
      'data',
      'event_time',
      "is more than 1d (max_future) after the run's created_at",
    ],
  ])('refuses by %s', (_, changes, column, code, rule) => {
    const message = expect.stringContaining(`column "${column}" ${rule}`) as string;
    expect(typeRow(changes)).toEqual({ ok: false, column, code, message });
  });

  it.each<[string, Partial<typeof good>]>([
    ['-0 is 0', { capital: '-0.00' }],
    ['a domain in canonical text', { socios: '+02' }],
    ['a group value of 1024 bytes', { cidade: 'é'.repeat(512) }],
    ['a day ahead', { data: '2024-06-02T12:00:00Z' }],
    ['text that other columns would refuse', { cnpj: '__proto__', extra: 'NaN' }],
  ])('allows %s', (_, changes) => {
    expect(typeRow(changes).ok).toBe(true);
  });

  it('compares with the minimum exactly, beyond what a float can hold', () => {
    const strict = pipelineWith('    v: { type: decimal, min: "9007199254740993.00000000000000000001" }');
    const type = rowTyper(strict, ['cnpj', 'data', 'cidade', 'v'], CREATED_AT_MS, '.');
    const okOf = (v: string) => type(['1', '2023-01-10', 'x', v]).ok;
    expect(okOf('9007199254740993.00000000000000000001')).toBe(true);
    expect(okOf('9007199254740993')).toBe(false);
    expect(okOf('10000000000000000')).toBe(true);
    expect(okOf('-99999999999999999')).toBe(false);
  });

  const judge = (column: string, value: string, source = '') => {
    const strict = pipelineWith(`    v: ${column}`, source);
    const row = rowTyper(strict, ['cnpj', 'data', 'cidade', 'v'], CREATED_AT_MS, '.')(['1', '2023-01-10', 'x', value]);
    return row.ok ? row.cells[3] : row.code;
  };
  it.each<[string, string, unknown]>([
    ['{ type: integer, max: 10 }', '10', 10],
    ['{ type: integer, max: 10 }', '11', 'range'],
    ['{ type: decimal, min: -1.5, max: "1.50" }', '1.5', '1.5'],
    ['{ type: decimal, min: -1.5, max: "1.50" }', '1.50000000000000000001', 'range'],
    ['{ type: decimal, min: -1.5, max: "1.50" }', '-1.51', 'range'],
    ['{ type: string, max_length: 3 }', 'São', 'São'],
    ['{ type: string, max_length: 3 }', '😀😀😀', '😀😀😀'],
    ['{ type: string, max_length: 3 }', '😀😀😀a', 'length'],
    ['{ type: string, pattern: "\\\\d{8}|x" }', '12345678', '12345678'],
    ['{ type: string, pattern: "\\\\d{8}|x" }', '123456789', 'pattern'],
    ['{ type: string, pattern: "\\\\d{8}|x" }', '12345678\n', 'pattern'],
    ['{ type: string, pattern: "." }', '😀', '😀'],
    ['{ type: string, pattern: "a*" }', 'a'.repeat(4_096), 'a'.repeat(4_096)],
    ['{ type: string, pattern: "a*" }', 'a'.repeat(4_097), 'pattern'],
    ['{ type: boolean, domain: [true] }', 'false', 'domain'],
    ['{ type: timestamp, format: dd/MM/yyyy }', '31/12/2023', '2023-12-31T00:00:00.000Z'],
    ['{ type: timestamp, format: dd/MM/yyyy }', '2023-12-31', 'type'],
    ['{ type: timestamp, time_zone: America/Sao_Paulo }', '2018-11-04T00:30', 'type'],
  ])('a column %s with %.12j', (column, value, expected) => {
    expect(judge(column, value)).toBe(expected);
  });

  it('takes the null spellings of the pipeline for empty values', () => {
    const nulls = '  nulls: ["", "NULL", "-"]';
    expect(judge('{ type: decimal }', ' NULL ', nulls)).toBeNull();
    expect(judge('{ type: string }', '-', nulls)).toBeNull();
    expect(judge('{ type: string, required: true }', 'NULL', nulls)).toBe('required');
    expect(judge('{ type: integer, min: 1 }', '-', nulls)).toBeNull();
  });

  it('reads numbers by the mark of the file, rules by those of the pipeline file', () => {
    const comma = pipelineWith('    v: { type: decimal, min: 1.5, domain: ["1.50", 1234.5] }');
    const type = rowTyper(comma, ['cnpj', 'data', 'cidade', 'v'], CREATED_AT_MS, ',');
    const judged = ['1,5', '1.234,50', '1.5', '2'].map((v) => {
      const row = type(['1', '2023-01-10', 'x', v]);
      return row.ok ? row.cells[3] : row.code;
    });
    expect(judged).toEqual(['1.5', '1234.5', 'type', 'domain']);
  });

  it('rejects the second and later of equal values in a unique column; rejected rows and nulls do not count', () => {
    const unique = pipelineWith(
      '    v: { type: decimal, unique: true }\n    w: { type: integer, unique: true, max: 9 }',
    );
    const type = rowTyper(unique, ['cnpj', 'data', 'cidade', 'v', 'w'], CREATED_AT_MS, '.');
    const judged = [
      ['1.5', '10'],
      ['1.50', '1'],
      ['+1.5', '2'],
      ['1.5', '3'],
      ['', '2'],
      ['', ''],
      ['2', '2'],
      ['2', '3'],
    ].map(([v, w]) => {
      const row = type(['1', '2023-01-10', 'x', v!, w!]);
      return row.ok ? 'ok' : `${row.column} ${row.code}`;
    });
    expect(judged).toEqual(['w range', 'ok', 'v unique', 'v unique', 'ok', 'ok', 'w unique', 'ok']);
  });

  it('has no event time where the pipeline names none, and writes several key columns as one text', () => {
    const keyed = { ...pipelineWith('    n: { type: integer, required: true }'), key: ['cidade', 'n', 'data'] };
    const type = rowTyper(keyed, ['cnpj', 'data', 'cidade', 'n'], CREATED_AT_MS, '.');
    expect(type(['1', '2099-01-10', 'a"b', '007'])).toMatchObject({
      timeMs: null,
      key: '["a\\"b","7","2099-01-10T00:00:00.000Z"]',
    });
  });

  it('holds a row to the bytes that a record may have, exactly', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const wide = pipelineWith(names.map((name) => `    ${name}: { type: string }`).join('\n'));
    const type = rowTyper(wide, ['cnpj', 'data', 'cidade', ...names], CREATED_AT_MS, '.');
    const control = '\u0001'.repeat(10_000);
    const row = (d: string, e: string) => ['1', '2023-01-10', 'x', control, control, control, d, e];
    const encode = rowEncoder(wide);
    const bytesOf = (texts: string[]) =>
      Buffer.byteLength(encode(texts, '0'.repeat(26), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER));
    const empty = bytesOf(row('', '').with(1, '2023-01-10T00:00:00.000Z'));
    const room = LIMITS.rowJsonBytes - empty;
    expect(type(row('é'.repeat(30_000), 'x'.repeat(room - 60_000))).ok).toBe(true);
    expect(type(row('é'.repeat(30_000), 'x'.repeat(room - 60_000 + 1)))).toEqual({
      ok: false,
      column: 'd',
      code: 'too_large',
      message: 'the row is larger than 262144 bytes as JSON; its largest column is "d"',
    });
  });

  it('asks for a header that has every column', () => {
    expect(() => rowTyper(pipeline, ['cnpj'], CREATED_AT_MS, '.')).toThrow('no column "data" in the header');
  });
});
