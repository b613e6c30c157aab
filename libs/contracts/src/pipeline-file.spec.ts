import { readFileSync } from 'node:fs';
import { parsePipelineFile, PipelineFileError } from './pipeline-file.js';

const shipped = readFileSync('pipelines/empresas.yaml', 'utf8');

function problemsOf(text: string): string[] {
  try {
    parsePipelineFile(text, 'p.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof PipelineFileError)) throw error;
    return error.message.split('\n');
  }
}

describe('the shipped pipeline', () => {
  const pipeline = parsePipelineFile(shipped, 'pipelines/empresas.yaml');

  it('has all 27 states in the domain', () => {
    expect(pipeline.columns.find((column) => column.name === 'estado')!.domain!.size).toBe(27);
  });

  it('is read with its defaults', () => {
    expect(pipeline).toMatchObject({
      name: 'empresas',
      eventTime: 'data_abertura',
      key: ['cidade'],
      maxErrorFraction: 0.1,
      retention: { rowsMs: 7 * 86_400_000, deadLetterMs: 30 * 86_400_000, runsMs: 90 * 86_400_000 },
      views: [
        { name: 'empresas_por_cidade', window: { type: 'upload' }, redis: { key: '{cidade}', ttlMs: null } },
        {
          name: 'aberturas_por_dia',
          window: { type: 'tumbling', sizeMs: 86_400_000, graceMs: null },
          features: [{ name: 'empresas', aggregate: 'count', column: '*' }],
          redis: { ttlMs: 90 * 86_400_000 },
        },
      ],
    });
  });
});

/** The shipped file with one text replaced: [what, by what, the problem's beginning]. */
const broken: [string, string, string][] = [
  ['name: empresas ', 'name: Empresas ', 'p.yaml:1:7: name: must begin with a-z'],
  [
    'type: decimal, min: 0',
    'type: dezimal, min: 0',
    'p.yaml:8:29: source.columns.capital_social.type: must be one of string, integer',
  ],
  ['max_error_fraction: 0.1', 'max_error_fraction: 2', 'p.yaml:11:23: source.max_error_fraction:'],
  [
    'max_error_fraction',
    'max_eror_fraction',
    'p.yaml:11:3: source.max_eror_fraction: unknown key (did you mean "max_error_fraction"?); allowed here are columns, event_time, key, max_error_fraction',
  ],
  // The misspelt key is pointed at, not what stands below it.
  ['  columns:', '  columms:', 'p.yaml:3:3: source.columms: unknown key (did you mean "columns"?)'],
  [
    'key: [cidade] ',
    'key: [citade] ',
    'p.yaml:10:8: source.key: no column "citade" (did you mean "cidade"?); declared are cnpj',
  ],
  ['key: [cidade] ', 'key: [estado] ', 'p.yaml:10:8: source.key: column "estado" must be "required: true"'],
  ['event_time: data_abertura', 'event_time: cidade', 'must be of type timestamp'],
  ['avg: capital_social', 'avg: cidade', 'avg needs an integer or decimal column'],
  ['sum: capital_social', 'sum: "*"', '"*" is allowed for count only'],
  ['sum: capital_social', 'median: capital_social', 'must be one aggregate of one column'],
  ['key: "{cidade}"', 'key: "x"', 'must hold every group column: {cidade} is missing'],
  ['key: "{cidade}"', 'key: "{cidade}:{window_start}"', 'unknown placeholder {window_start}'],
  ['key: "{cidade}"', 'key: "caudal:{cidade}"', 'may not begin with "caudal:"'],
  ['key: "{view}:{cidade}:{window_start}"', 'key: "{cidade}"', 'writes to the same keys'],
  ['grace: unlimited', 'grace: forever', 'views.aberturas_por_dia.window.grace'],
  [', grace: unlimited', '', 'views.aberturas_por_dia.window'],
  ['ttl: 90d', 'ttl: 90', 'views.aberturas_por_dia.redis.ttl'],
  ['cnpj:           {', '_cnpj:          {', 'may not begin with "_"'],
  ['type: decimal, min: 0', 'type: decimal, min: 0, max: -1', 'capital_social.max: must not be below min (0)'],
  ['type: decimal, min: 0', 'type: decimal, min: 0, domain: [x]', 'domain.0: must be a plain number'],
  ['type: decimal, min: 0', 'type: decimal, min: 0, domain: ["-0.5"]', 'domain.0: is below min (0)'],
  ['type: decimal, min: 0', 'type: integer, domain: [1.5]', 'domain.0: must be an integer'],
  ['type: decimal, min: 0', 'type: decimal, pattern: x', '"pattern" is allowed for string columns'],
  ['cnpj:           { type: string', 'cnpj: { type: string, pattern: "(a+)+"', 'cnpj.pattern: repeats (a+)'],
  ['cnpj:           { type: string', 'cnpj: { type: string, max_length: 1, domain: [ab]', 'is longer than max_length'],
  ['cnpj:           { type: string', 'cnpj: { type: string, domain: [""]', 'is a spelling of the empty value'],
  ['type: timestamp,', 'type: timestamp, format: DD/MM/YYYY,', 'unknown token DD, YYYY (year and day are yyyy and dd)'],
  ['type: timestamp,', 'type: timestamp, format: HH:mm,', 'format: must tell year, month and day'],
  ['type: timestamp,', 'type: timestamp, format: "dd/MM/yyyy \'",', "has a ' that is not closed"],
  ['type: timestamp,', 'type: timestamp, format: dd/MM/yyyy hh:mm,', 'needs h and a'],
  ['type: timestamp,', 'type: timestamp, time_zone: Brasilia,', 'must be an IANA time zone'],
  ['type: decimal, min: 0', 'type: boolean, true_values: [S], false_values: [s]', 'cannot be both true and false'],
  ['order: any', 'order: evento_time', 'must be one of any, event_time (did you mean "event_time"?)'],
  ['order: any', 'header: [cnpj, cidade]', 'must name every declared column: data_abertura, estado, capital_social'],
  ['order: any', "comment: '\"'", 'must differ from quote and delimiter'],
];

describe('a broken file', () => {
  it.each(broken)('%s -> %s', (from, to, problem) => {
    const text = shipped.replace(from, to);
    const problems = problemsOf(text).join('\n');
    expect(text).not.toBe(shipped);
    expect(problems).toContain(problem);
  });

  const told: [from: string, to: string, problem: string][] = [
    ['name: empresas ', 'nam: empresas ', 'name: is missing: must be a text'],
    ['name: empresas ', 'name: 5 ', 'p.yaml:1:7: name: must be a text'],
    [
      'views:',
      'vista:',
      'views: is missing: must be a mapping of names, each to a mapping with the keys group_by, window',
    ],
    ['type: decimal, min: 0', 'min: 0', 'capital_social.type: is missing: must be one of string, integer'],
    ['{ type: decimal, min: 0 }', 'decimal', 'capital_social: must be a mapping with the keys type, required'],
    ['{ type: decimal, min: 0 }', '', 'capital_social: has no value: must be a mapping with the keys type'],
    ['type: decimal, min: 0', 'type: decimal, required: "sim"', 'required: must be true or false'],
    ['type: decimal, min: 0', 'type: string, max_length: 0', 'max_length: must be at least 1'],
    ['type: decimal, min: 0', 'type: string, max_length: 1.5', 'max_length: must be a whole number'],
    ['type: decimal, min: 0', 'type: string, domain: []', 'domain: must have at least 1 entry'],
    [
      'type: decimal, min: 0',
      'type: string, domain: SP',
      'domain: must be a list ([a, b]), each entry a text or a number',
    ],
    ['max_error_fraction: 0.1', 'max_error_fraction: 2', 'max_error_fraction: must be at most 1'],
    ['order: any', 'delimiter: "::"', 'must be one of auto, ",", ";", tab, pipe'],
    ['{ type: upload }', '{ type: uplod }', 'window.type: must be one of upload, all_time, tumbling, hopping, session'],
    ['{ type: upload }', 'upload', 'window: must be a mapping with "type", one of upload, all_time'],
    [', grace: unlimited', '', 'grace: must be a duration such as 1h or 7d, or unlimited'],
    [
      'checks: []',
      'checks: { a: 1 }',
      'checks: must be a list ([a, b]), each entry a mapping with "type", one of schema',
    ],
    ['checks: []', 'checks: [{ type: check }]', 'checks.0.name: is missing: must be a text'],
    [
      'checks: []',
      'checks: [{ name: x, type: drift, column: estado, measure: psi, threshold: alto }]',
      'checks.0.threshold: must be a number',
    ],
    [
      'checks: []',
      'checks: [{ name: x, type: value_check, expression: "1" }]',
      'pass_value: is missing: must be a number',
    ],
  ];

  it.each(told)('%s -> %s says what is allowed', (from, to, problem) => {
    const text = shipped.replace(from, to);
    const problems = problemsOf(text);
    expect(text).not.toBe(shipped);
    expect(problems.join('\n')).toContain(problem);
    expect(problems.join('\n')).not.toMatch(/Invalid|received|expected/);
  });

  it('tells a problem that two rules find once', () => {
    expect(problemsOf(shipped.replace('ttl: 90d', 'ttl: 90x'))).toHaveLength(1);
  });

  it('names the keys allowed in a window', () => {
    const problems = problemsOf(shipped.replace('{ type: upload }', '{ type: upload, sise: 1d }'));
    expect(problems.join()).toContain('views.empresas_por_cidade.window.sise: unknown key; allowed here are type');
  });

  it('tells all problems at once', () => {
    const text = shipped.replace('avg: capital_social', 'avg: cidade').replace('sum: capital_social', 'sum: nada');
    expect(problemsOf(text)).toHaveLength(2);
  });

  it('says where YAML itself is broken', () => {
    expect(problemsOf('name: x\n  views: [')[0]).toMatch(/^p\.yaml:\d+:\d+: /);
  });

  it('does not take inherited names for columns', () => {
    expect(problemsOf(shipped.replace('key: [cidade] ', 'key: [toString] ')).join()).toContain('no column "toString"');
  });
});
