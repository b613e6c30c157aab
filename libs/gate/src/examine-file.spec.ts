import { parsePipelineFile } from '#contracts';
import { examineFile } from './examine-file.js';

const FILE = [
  'c,uf,v,d',
  'a,SP,1,2024-01-09T03:00:00Z',
  'b,XX,1,2024-01-09T10:00:00Z',
  'c,YY,1,2024-01-08',
  'd,SP,NaN,2024-01-09',
  'e,ZZ,1,ontem',
  'f,RJ',
].join('\n');

describe('value_skew with a filter', () => {
  const observed = async (column: string, where: string) => {
    const check = `{ name: x, type: value_skew, column: ${column}, where: "${where}" }`;
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
      yield Buffer.from(FILE);
    }
    const { inspection, rows } = await examineFile(
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
    expect(rows).toEqual({ read: 6, accepted: 1, rejected: 5 });
    return inspection.prepared[0]!.decide({ missing: 'none' }).observed;
  };

  it.each([
    ['uf', 'd = run_date - 1', 1 / 2],
    ['uf', 'd is null', 0],
    ['uf', "uf = 'YY'", 0],
    ['uf', "c = 'a'", 1],
    ['v', 'd = run_date - 1', 1 / 2],
    ['v', 'v > 0', 1],
  ])('counts rejected values of %s where %s', async (column, where, share) => {
    expect(await observed(column, where)).toBe(share);
  });
});
