import { readFileSync } from 'node:fs';
import { parsePipelineFile, PipelineFileError } from './pipeline-file.js';

const shipped = readFileSync('pipelines/empresas.yaml', 'utf8').replace(/checks: \[\]\s*$/, 'checks:\n');
/** The line on which the first check stands. */
const LINE = shipped.split('\n').length;
const withChecks = (...checks: string[]) =>
  parsePipelineFile(shipped + checks.map((one) => `  - ${one}\n`).join(''), 'p.yaml');

const DOCUMENTED = [
  '{ name: known_columns,  type: schema_skew }',
  '{ name: states,         type: value_skew, column: estado, min_domain_mass: 0.99 }',
  '{ name: like_last_time, type: row_count_change, min_fraction: 0.5, max_fraction: 2 }',
  '{ name: drift_estado,   type: drift, column: estado, measure: psi, threshold: 0.25, severity: warn }',
  '{ name: has_rows,       type: check, expression: "count() > 0" }',
  '{ name: mean_capital,   type: value_check, expression: "avg(capital_social)", pass_value: 75000, tolerance: 0.5 }',
  '{ name: stable, type: interval_check, metrics_thresholds: { "avg(capital_social)": 1.5, "count()": 2 }, ratio_formula: max_over_min, ignore_zero: true, days_back: 7 }',
  '{ name: columns, type: column_check, column_mapping: { capital_social: { null_check: { equal_to: 0 }, min: { geq_to: 0 } } } }',
  '{ name: table,          type: table_check, checks: { positive: { check_statement: "capital_social >= 0" } } }',
  '{ name: enough,         type: threshold_check, expression: "count()", min_threshold: 1, max_threshold: 1000000 }',
  '{ name: yesterday, type: check, where: "data_abertura = run_date - 1", expressions: ["count() > 0", "avg(capital_social)"] }',
  '{ name: by_day, type: interval_check, metrics_thresholds: { "count()": 2 }, ratio_formula: parent_diff, date_filter_column: data_abertura, days_back: -7, semantics: airflow }',
  '{ name: features, type: threshold_check, stage: features, view: empresas_por_cidade, expression: "max(capital_social_medio)", min_threshold: 0, max_threshold: 1e9 }',
  '{ name: skew_of_a_day, type: value_skew, column: estado, where: "data_abertura = run_date - 1" }',
  '{ name: of_file, type: row_count_change, min_fraction: 1, reference: { file: a.csv }, on_missing_reference: fail }',
];

describe('checks of a pipeline file', () => {
  it('reads every form that is documented', () => {
    const { checks } = withChecks(...DOCUMENTED.slice(0, 12), ...DOCUMENTED.slice(13));
    expect(checks).toHaveLength(DOCUMENTED.length - 1);
    expect(checks[0]).toMatchObject({ severity: 'error', semantics: 'strict', stage: 'file' });
    expect(checks[3]).toMatchObject({ type: 'drift', severity: 'warn' });
  });

  const value = (rest: string) => `{ name: x, type: value_check, expression: "count()", ${rest} }`;
  const bounds = (rest: string) =>
    `{ name: x, type: column_check, column_mapping: { capital_social: { max: { ${rest} } } } }`;
  const broken: [check: string, path: string, message: string][] = [
    ['{ name: x, type: outro }', '.type', 'must be one of schema_skew, value_skew'],
    ['{ name: x, type: check, expresion: "1" }', '.expresion', '; allowed here are name, severity'],
    ['{ name: x, type: check, expression: "avg(capital)" }', '.expression', 'knows no column "capital"'],
    ['{ name: x, type: check, expression: "count() >" }', '.expression', 'found the end'],
    ['{ name: x, type: check }', '', 'needs either "expression" or "expressions"'],
    ['{ name: x, type: check, expression: "1", where: "count() = 1" }', '.where', 'may not use count()'],
    ['{ name: x, type: check, expression: "1", where: "estado" }', '.where', 'is a text, here goes a boolean'],
    ['{ name: x, type: check, expression: "1", view: empresas_por_cidade }', '.view', 'goes with "stage: features"'],
    ['{ name: x, type: check, expression: "1", stage: features, view: nada }', '.view', 'needs one of the views'],
    [
      '{ name: x, type: check, expression: "avg(capital_social)", stage: features, view: empresas_por_cidade }',
      '.expression',
      'knows no column "capital_social"; there are cidade, quantidade_empresas',
    ],
    [
      '{ name: x, type: schema_skew, stage: features, view: empresas_por_cidade }',
      '.stage',
      'looks at the columns of files',
    ],
    ['{ name: x, type: value_skew, column: nada }', '.column', 'no column "nada"'],
    ['{ name: x, type: value_skew, column: capital_social, domain: [um] }', '.domain', '"um" is no plain number'],
    ['{ name: x, type: row_count_change }', '', 'needs min_fraction, max_fraction or both'],
    [
      '{ name: x, type: row_count_change, min_fraction: 2, max_fraction: 1 }',
      '.min_fraction',
      'must not be above max_fraction',
    ],
    ['{ name: x, type: drift, column: estado, measure: psi }', '', 'needs "threshold"'],
    [
      '{ name: x, type: drift, column: estado, measure: kolmogorov_smirnov, threshold: 0.1 }',
      '.column',
      'needs a column of type integer or decimal or timestamp',
    ],
    [
      '{ name: x, type: drift, column: estado, measure: psi, p_value: 0.05 }',
      '.p_value',
      'goes with "measure: kolmogorov_smirnov"',
    ],
    [
      '{ name: x, type: drift, column: estado, measure: psi, threshold: 1, days_back: 1, reference: { file: a } }',
      '.days_back',
      'leave "reference" out',
    ],
    [
      '{ name: x, type: interval_check, metrics_thresholds: { "count()": 2 }, ratio_formula: outra }',
      '.ratio_formula',
      'must be one of max_over_min, relative_diff, parent_diff',
    ],
    [
      '{ name: x, type: interval_check, metrics_thresholds: { "count() > 1": 2 } }',
      '.metrics_thresholds.count() > 1',
      'here goes a number',
    ],
    [
      '{ name: x, type: interval_check, metrics_thresholds: { "count()": 2 }, date_filter_column: cidade }',
      '.date_filter_column',
      'needs a column of type timestamp',
    ],
    [
      '{ name: x, type: interval_check, metrics_thresholds: { "count()": 2 }, on_zero: fail, ignore_zero: true }',
      '.on_zero',
      'contradicts ignore_zero',
    ],
    [value('pass_value: 1, tolerance: muito'), '.tolerance', 'must be a number'],
    [value('pass_value: um, tolerance: 0.1'), '.tolerance', 'goes with a number in pass_value'],
    [bounds('equal_to: 1, geq_to: 0'), '.column_mapping.capital_social.max', 'equal_to excludes all other bounds'],
    [bounds('geq_to: 1, greater_than: 0'), '.column_mapping.capital_social.max', 'geq_to and greater_than exclude'],
    [bounds('leq_to: 1, less_than: 0'), '.column_mapping.capital_social.max', 'leq_to and less_than exclude'],
    [bounds('geq_to: 5, leq_to: 5'), '.column_mapping.capital_social.max', 'the lower bound 5 must be below'],
    [bounds('greater_than: 6, less_than: 5'), '.column_mapping.capital_social.max', 'the lower bound 6 must be below'],
    [bounds('tolerance: 0.1'), '.column_mapping.capital_social.max', 'needs one or more of'],
    [
      '{ name: x, type: column_check, column_mapping: { cidade: { min: { geq_to: 0 } } } }',
      '.column_mapping.cidade.min',
      'needs a column of type integer or decimal',
    ],
    [
      '{ name: x, type: table_check, checks: { a: { check_statement: "capital_social" } } }',
      '.checks.a.check_statement',
      'here goes a boolean',
    ],
    [
      '{ name: x, type: table_check, checks: { a: { check_statement: "capital_social > avg(capital_social)" } } }',
      '.checks.a.check_statement',
      'outside a function',
    ],
    [
      '{ name: x, type: threshold_check, expression: "count()", min_threshold: 3, max_threshold: 2 }',
      '.min_threshold',
      'must not be above max_threshold (2)',
    ],
    ['{ name: header, type: check, expression: "1" }', '.name', 'another check is called "header"'],
  ];

  it.each(broken)('refuses %s', (check, path, message) => {
    expect.assertions(2);
    try {
      withChecks(check);
    } catch (error) {
      expect(error).toBeInstanceOf(PipelineFileError);
      const [first] = (error as PipelineFileError).problems;
      expect(first).toMatchObject({ line: LINE, path: `checks.0${path}`, message: expect.stringContaining(message) });
    }
  });

  it('takes very large and very small numbers for bounds', () => {
    const bounds = 'min_threshold: 0.0000001, max_threshold: 1e30';
    expect(withChecks(`{ name: x, type: threshold_check, expression: "count()", ${bounds} }`).checks).toHaveLength(1);
  });

  it('takes bounds in the wrong order where they are expressions, and with the semantics of Airflow', () => {
    const threshold = (rest: string) => `{ name: x, type: threshold_check, expression: "count()", ${rest} }`;
    expect(withChecks(threshold('min_threshold: 3, max_threshold: "count()"')).checks).toHaveLength(1);
    expect(withChecks(threshold('min_threshold: 3, max_threshold: 2, semantics: airflow')).checks).toHaveLength(1);
  });

  it("takes the run's own day for a reference", () => {
    expect(withChecks('{ name: x, type: row_count_change, min_fraction: 1, days_back: 0 }').checks).toHaveLength(1);
  });

  it('takes an unusable tolerance with the semantics of Airflow, which drop it', () => {
    expect(withChecks(value('pass_value: 1, tolerance: muito, semantics: airflow')).checks).toHaveLength(1);
  });
});
