import { parsePipelineFile } from '#contracts';
import { examineFile } from './examine-file.js';

function examine(file: string, check: string) {
  const text = `name: p
source:
  columns:
    c:  { type: string, required: true }
    uf: { type: string, domain: [SP, RJ] }
    v:  { type: decimal }
    d:  { type: timestamp }
  max_error_fraction: 1
views:
  por_c: { group_by: [c], window: { type: upload }, features: { n: { count: "*" } }, redis: { key: "{c}" } }
checks: [ ${check} ]
`;
  async function* source(): AsyncGenerator<Buffer> {
    yield Buffer.from(file);
  }
  return examineFile(
    {
      pipeline: parsePipelineFile(text, 'p.yaml'),
      run: 'RUN',
      createdAtMs: Date.UTC(2024, 0, 10),
      maxRows: 100,
      source: source(),
      dialect: null,
      runDate: '2024-01-10',
    },
    { accepted: () => undefined, rejected: () => undefined, pause: () => Promise.resolve() },
  );
}

describe('value_skew with a filter', () => {
  const file = [
    'c,uf,v,d',
    'a,SP,1,2024-01-09T03:00:00Z',
    'b,XX,1,2024-01-09T10:00:00Z',
    'c,YY,1,2024-01-08',
    'd,SP,NaN,2024-01-09',
    'e,ZZ,1,ontem',
    'f,RJ',
  ].join('\n');

  it.each([
    ['uf', 'd = run_date - 1', 1 / 2],
    ['uf', 'd is null', 0],
    ['uf', "uf = 'YY'", 0],
    ['uf', "c = 'a'", 1],
    ['v', 'd = run_date - 1', 1 / 2],
    ['v', 'v > 0', 1],
  ])('counts rejected values of %s where %s', async (column, where, share) => {
    const check = `{ name: x, type: value_skew, column: ${column}, where: "${where}" }`;
    const { inspection, rows } = await examine(file, check);
    expect(rows).toEqual({ read: 6, accepted: 1, rejected: 5 });
    expect(inspection.prepared[0]!.decide({ missing: 'none' }).observed).toBe(share);
  });
});

describe('a missing column', () => {
  it('is told by the schema_skew checks of the pipeline, too', async () => {
    const skew = '{ name: colunas, type: schema_skew }';
    const missing = await examine('c,uf,d\n', skew);
    expect(missing.refused).toMatchObject({ code: 'header_mismatch' });
    expect(missing.checks.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['header', 'fail'],
      ['colunas', 'fail'],
    ]);
    expect(missing.checks[1]!.reason).toContain('the header lacks "v"');
    const twice = await examine('c,uf,v,d,d\n', skew);
    expect(twice.checks.map(({ name }) => name)).toEqual(['header']);
  });
});
