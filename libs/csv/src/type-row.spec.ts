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
