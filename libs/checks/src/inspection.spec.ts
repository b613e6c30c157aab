// Whole checks over whole files: what the gate does, without the gate.
import { parsePipelineFile, type Cell, type CheckResult, type FeatureRecord } from '#contracts';
import { referenceSlice } from './evidence.js';
import {
  checkedViews,
  encodeEvidence,
  FileInspection,
  ViewInspection,
  type EvidenceJson,
  type TableInspection,
} from './inspection.js';
import { shownProfile } from './shown-profile.js';

const RUN_DAY = Date.UTC(2024, 0, 10) / 86_400_000;
const pipelineOf = (...checks: string[]) =>
  parsePipelineFile(
    `name: lojas
source:
  columns:
    cidade: { type: string, required: true }
    estado: { type: string }
    valor:  { type: decimal }
    dia:    { type: timestamp }
views:
  por_cidade:
    group_by: [cidade]
    window: { type: upload }
    features: { lojas: { count: "*" }, media: { avg: valor } }
    redis: { key: "{cidade}" }
checks:
${checks.map((check) => `  - ${check}\n`).join('')}`,
    'lojas.yaml',
  );
type Row = [cidade: string, estado: string | null, valor: string | null, dia?: string];
const rows = (count: number, of: (n: number) => Row): Row[] => Array.from({ length: count }, (_, n) => of(n));
const plain = (n: number): Row => [`cidade ${n % 5}`, ['SP', 'RJ'][n % 2]!, String(n % 100)];

interface File {
  rows: readonly Row[];
  header?: string[];
  rejected?: [column: string, code: 'domain' | 'type' | 'encoding'][];
}

function inspect(checks: string[], file: File): { tables: TableInspection[]; evidence: EvidenceJson } {
  const pipeline = pipelineOf(...checks);
  const inspection = new FileInspection(pipeline, RUN_DAY);
  inspection.header(file.header ?? pipeline.columns.map(({ name }) => name));
  for (const row of file.rows) inspection.accepted([...row, ...(row.length === 3 ? [null] : [])] as Cell[]);
  for (const [column, code] of file.rejected ?? []) inspection.rejected(column, code, null);
  const tables = [inspection];
  return { tables, evidence: JSON.parse(JSON.stringify(encodeEvidence(tables, 500_000))) as EvidenceJson };
}

/** Results of the checks of the file's rows; `before`: an earlier file of the same pipeline. */
function check(checks: string | string[], file: File, before?: File): CheckResult {
  const all = [checks].flat();
  const { tables } = inspect(all, file);
  const kept = before && inspect(all, before).evidence;
  const [{ where, decide }] = tables[0]!.prepared as [TableInspection['prepared'][number]];
  return decide(referenceSlice(kept?.tables[''], where) ?? { missing: 'no earlier file' });
}

const file = { rows: rows(100, plain) };

describe('a statement that cannot be tried on a row', () => {
  it('fails its own check only', () => {
    const checks = [
      '{ name: divides, type: table_check, severity: warn, checks: { a: { check_statement: "1 / valor > 0" } } }',
      '{ name: rows, type: check, expression: "count() = 2" }',
      '{ name: positive, type: table_check, checks: { b: { check_statement: "valor >= 0" } } }',
    ];
    const two: Row[] = [
      ['x', null, '0'],
      ['y', null, '4'],
    ];
    const results = inspect(checks, { rows: two }).tables[0]!.prepared.map(({ decide }) => decide({ missing: 'none' }));
    expect(results.map(({ verdict }) => verdict)).toEqual(['fail', 'pass', 'pass']);
    expect(results[0]!.reason).toContain('division by zero: valor is 0');
  });
});

describe('checks without a reference', () => {
  it.each<[check: string, file: File, verdict: string, part: Partial<CheckResult>]>([
    ['{ name: x, type: check, expression: "count() > 0 and avg(valor) = 49.5" }', file, 'pass', {}],
    [
      '{ name: x, type: check, expression: "avg(valor) / (count() - 100)" }',
      file,
      'fail',
      { reason: 'division by zero: (count() - 100) is 0' },
    ],
    [
      '{ name: x, type: check, expression: "avg(valor)", where: "valor / 0 > 1" }',
      file,
      'fail',
      { reason: 'division by zero: 0 is 0' },
    ],
    [
      '{ name: x, type: check, expressions: ["count()", "count_distinct(cidade) = 6"] }',
      file,
      'fail',
      { observed: 'count_distinct(cidade) = 6: false' },
    ],
    [
      '{ name: x, type: check, expression: "avg(valor)", where: "estado = \'AC\'" }',
      file,
      'fail',
      { reason: expect.stringContaining('is NULL') as string },
    ],
    ['{ name: x, type: value_check, expression: "sum(valor)", pass_value: 4950 }', file, 'pass', { observed: 4950 }],
    [
      '{ name: x, type: value_check, expression: "null_fraction(estado)", pass_value: 0.25 }',
      { rows: rows(8, (n) => ['a', n < 2 ? null : 'SP', null]) },
      'pass',
      { observed: '0.25' },
    ],
    ['{ name: x, type: value_check, expression: "max(estado)", pass_value: SP }', file, 'pass', { observed: 'SP' }],
    [
      '{ name: x, type: threshold_check, expression: "stddev(valor)", min_threshold: 29.01, max_threshold: "avg(valor)" }',
      file,
      'pass',
      {},
    ],
    [
      '{ name: x, type: column_check, column_mapping: { cidade: { distinct_check: { equal_to: 5 }, unique_check: { equal_to: 95 } }, valor: { min: { geq_to: 0 }, max: { less_than: 99 } } } }',
      file,
      'fail',
      { observed: 'valor max: 99', reason: 'valor max is 99, expected < 99' },
    ],
    [
      '{ name: x, type: table_check, checks: { positive: { check_statement: "valor >= 0" }, rows: { check_statement: "count() = 100" } } }',
      file,
      'pass',
      {},
    ],
    [
      '{ name: x, type: table_check, checks: { positive: { check_statement: "valor >= 1" } } }',
      file,
      'fail',
      { observed: 'true on 99 of 100 rows' },
    ],
    [
      '{ name: x, type: table_check, checks: { positive: { check_statement: "valor >= 0" } } }',
      { rows: [['a', null, null]] },
      'fail',
      { reason: 'positive is NULL on 1 of 1 rows' },
    ],
    [
      '{ name: x, type: value_skew, column: estado, min_domain_mass: 0.99 }',
      { ...file, rejected: [['estado', 'domain']] },
      'pass',
      {},
    ],
    [
      '{ name: x, type: value_skew, column: estado, min_domain_mass: 0.99 }',
      {
        ...file,
        rejected: [
          ['estado', 'domain'],
          ['estado', 'encoding'],
        ],
      },
      'fail',
      {},
    ],
    [
      '{ name: x, type: value_skew, column: valor }',
      { ...file, rejected: [['valor', 'type']] },
      'fail',
      { reason: '1 of 101 values of valor are not good (type 1): more than 0 of them' },
    ],
    [
      '{ name: x, type: value_skew, column: valor, max: 98.5, min_domain_mass: 0.99 }',
      file,
      'pass',
      { observed: 0.99 },
    ],
    [
      '{ name: x, type: value_skew, column: estado, domain: [SP], min_domain_mass: 0.51 }',
      file,
      'fail',
      { observed: 0.5 },
    ],
    [
      '{ name: x, type: value_skew, column: estado, domain: [SP], where: "valor < 1" }',
      { ...file, rejected: [['estado', 'domain']] },
      'pass',
      {},
    ],
    [
      '{ name: x, type: check, where: "dia = run_date - 1", expression: "count() = 2" }',
      {
        rows: [
          '2024-01-08T23:59:59.000Z',
          '2024-01-09T00:00:00.000Z',
          '2024-01-09T15:00:00.000Z',
          '2024-01-10T00:00:00.000Z',
        ].map((dia): Row => ['a', null, null, dia]),
      },
      'pass',
      {},
    ],
    [
      '{ name: x, type: check, expression: "max(dia) >= run_date - 1" }',
      { rows: [['a', null, null, '2024-01-09T00:00:00.000Z']] },
      'pass',
      { observed: 'true' },
    ],
  ])('%s', (spec, of, verdict, part) => {
    expect(check(spec, of)).toMatchObject({ name: 'x', verdict, ...part });
  });
});

describe('checks with a reference', () => {
  const skew = '{ name: x, type: schema_skew, min_fraction: 0.9 }';
  const half = { rows: rows(49, plain) };
  it.each<[check: string, now: File, before: File | undefined, verdict: string, part: Partial<CheckResult>]>([
    [skew, file, file, 'pass', {}],
    [
      skew,
      { ...file, header: ['cidade', 'estado', 'valor', 'dia', 'novo'] },
      file,
      'fail',
      { reason: expect.stringContaining('unexpected column "novo"') as string },
    ],
    [
      '{ name: x, type: row_count_change, min_fraction: 0.5 }',
      half,
      file,
      'fail',
      { observed: 49, reason: expect.stringContaining('too few') as string },
    ],
    ['{ name: x, type: row_count_change, min_fraction: 0.49, max_fraction: 1 }', half, file, 'pass', {}],
    ['{ name: x, type: row_count_change, max_fraction: 2 }', { rows: rows(201, plain) }, file, 'fail', {}],
    [
      '{ name: x, type: row_count_change, min_fraction: 1, where: "estado = \'SP\'" }',
      { rows: rows(60, (n) => ['a', 'SP', String(n)]) },
      file,
      'pass',
      { observed: 60 },
    ],
    [
      '{ name: x, type: drift, column: estado, measure: l_infinity, threshold: 0.1 }',
      { rows: rows(100, (n) => ['a', n % 4 ? 'SP' : 'RJ', null]) },
      file,
      'fail',
      { observed: 0.25 },
    ],
    [
      '{ name: x, type: drift, column: valor, measure: kolmogorov_smirnov, p_value: 0.05 }',
      { rows: rows(100, (n) => ['a', null, String(n / 2)]) },
      file,
      'fail',
      {},
    ],
    [
      '{ name: x, type: drift, column: valor, measure: kolmogorov_smirnov, p_value: 0.05 }',
      { rows: rows(90, plain) },
      file,
      'pass',
      {},
    ],
    [
      '{ name: x, type: drift, column: valor, measure: jensen_shannon, threshold: 0.05 }',
      { rows: rows(2_000, (n) => ['a', null, `${n}.25`]) },
      { rows: rows(2_000, (n) => ['a', null, `${n}.75`]) },
      'pass',
      {},
    ],
    [
      '{ name: x, type: drift, column: valor, measure: psi, threshold: 0.25 }',
      { rows: rows(9, () => ['a', null, null]) },
      file,
      'fail',
      { reason: 'valor has no values in this file' },
    ],
    [
      '{ name: x, type: interval_check, metrics_thresholds: { "avg(valor)": 1.5, "count()": 2 } }',
      { rows: rows(40, plain) },
      file,
      'fail',
      { reason: expect.stringContaining('max_over_min of count() is 2.5, not below 2') as string },
    ],
    [
      '{ name: x, type: interval_check, metrics_thresholds: { "count()": 2 }, date_filter_column: dia }',
      { rows: rows(9, (n) => ['a', null, null, n < 6 ? '2024-01-10T10:00:00.000Z' : '2024-01-09T10:00:00.000Z']) },
      { rows: rows(4, () => ['a', null, null, '2024-01-10T00:00:00.000Z']) },
      'pass',
      { observed: '6, reference 4, ratio 1.5' },
    ],
    [
      '{ name: x, type: interval_check, metrics_thresholds: { "avg(valor) / (count() - 100)": 2 } }',
      { rows: rows(40, plain) },
      file,
      'fail',
      { reason: expect.stringContaining('is NULL in the reference') as string },
    ],
    [
      '{ name: x, type: row_count_change, min_fraction: 1 }',
      file,
      undefined,
      'no_reference',
      { reason: 'no earlier file' },
    ],
    [
      '{ name: x, type: row_count_change, min_fraction: 1, on_missing_reference: fail }',
      file,
      undefined,
      'fail',
      { reason: 'no earlier file' },
    ],
    ['{ name: x, type: row_count_change, min_fraction: 1, semantics: airflow }', file, undefined, 'fail', {}],
    [
      '{ name: x, type: row_count_change, min_fraction: 1, semantics: airflow, on_missing_reference: pass }',
      file,
      undefined,
      'no_reference',
      {},
    ],
    [skew, file, undefined, 'no_reference', {}],
  ])('%s', (spec, now, before, verdict, part) => {
    const filled = (one: File): File => ({
      ...one,
      rows: one.rows.map((row) => (spec === skew ? [...row.slice(0, 3), '2024-01-01T00:00:00.000Z'] : row) as Row),
    });
    expect(check(spec, filled(now), before && filled(before))).toMatchObject({ name: 'x', verdict, ...part });
  });

  it('tells a changed type and a column with too few values', () => {
    const spec = '{ name: x, type: schema_skew, min_fraction: 0.5 }';
    const numbers = { rows: rows(10, (n): Row => ['a', String(n), '1', '2024-01-01T00:00:00.000Z']) };
    const words = {
      rows: rows(10, (n): Row => ['a', n < 6 ? `n${n}` : null, n < 4 ? '1' : null, '2024-01-01T00:00:00.000Z']),
    };
    const { verdict, reason } = check(spec, words, numbers);
    expect([verdict, reason]).toEqual([
      'fail',
      'valor has a value in 0.4000 of the rows, below 0.5; estado was integer and is string now',
    ]);
  });

  it('says that an earlier file was not asked for what is compared now', () => {
    const before = inspect(['{ name: y, type: interval_check, metrics_thresholds: { "count()": 2 } }'], file).evidence;
    const { tables } = inspect(['{ name: x, type: interval_check, metrics_thresholds: { "sum(valor)": 2 } }'], file);
    const [prepared] = tables[0]!.prepared;
    expect(prepared!.decide(referenceSlice(before.tables[''], '')!)).toMatchObject({ verdict: 'no_reference' });
    expect(referenceSlice(before.tables[''], "(estado = 'SP')")).toBeUndefined();
  });
});

describe('features', () => {
  it('are checked as a table of groups and features', () => {
    const pipeline = pipelineOf(
      '{ name: poucas, type: threshold_check, stage: features, view: por_cidade, expression: "max(lojas)", min_threshold: 1, max_threshold: 50 }',
      '{ name: medias, type: table_check, stage: features, view: por_cidade, where: "cidade != \'b\'", checks: { m: { check_statement: "media >= 1.5" } } }',
    );
    const inspection = new ViewInspection(pipeline, checkedViews(pipeline)[0]!, RUN_DAY);
    const record = (cidade: string, lojas: number, media: string | null): FeatureRecord => ({
      view: 'por_cidade',
      key: { cidade },
      window: { type: 'upload', start: null, end: null },
      features: { lojas, media },
      final: true,
      upload: 'U',
      stream_time: null,
    });
    for (const one of [record('a', 40, '1.5'), record('b', 51, null)]) inspection.add(one);
    const results = inspection.prepared.map(({ decide }) => decide({ missing: '' }));
    expect(results).toMatchObject([
      { name: 'poucas', verdict: 'fail', observed: 51, expected: '1 to 50' },
      { name: 'medias', verdict: 'pass', observed: 'true on 1 of 1 rows' },
    ]);
  });
});

describe('the profile that is shown', () => {
  it('has what every column holds', () => {
    const { evidence } = inspect(['{ name: x, type: schema_skew }'], { ...file, rejected: [['estado', 'domain']] });
    const shown = shownProfile(evidence)!;
    expect(shown.rows).toBe(100);
    expect(shown.columns.estado).toMatchObject({
      type: 'string',
      type_seen: 'string',
      count: 100,
      nulls: 0,
      distinct: 2,
      top_values: [
        { value: 'RJ', count: 50 },
        { value: 'SP', count: 50 },
      ],
      rejected: { domain: 1 },
      mean: null,
    });
    expect(shown.columns.valor).toMatchObject({ type: 'decimal', mean: 49.5, min: '0', max: '99', distinct: 100 });
    expect(shown.columns.valor!.stddev).toBeCloseTo(29.0115, 4);
    expect(shown.columns.valor!.histogram!.reduce((sum, { count }) => sum + count, 0)).toBe(100);
    expect(shown.columns.dia).toMatchObject({ count: 0, nulls: 100, type_seen: null, min: null, histogram: null });
  });
});
