// The shape of one check of a pipeline file. Parameter names are those of Airflow's SQL checks and TFDV's skew and drift
// comparisons. What crosses keys (columns, expressions, bounds) is checked in check-rules.ts.
import { z } from 'zod';
import { mapping, portable } from './schema-hints.js';

const columnName = z.string().min(1);
const expression = z
  .union([z.string().min(1), z.number(), z.boolean()])
  .transform(String)
  .describe('An expression over the aggregates of the rows, such as avg(capital_social) / count()');
const fraction = z.number().min(0).max(1);
const bound = z
  .union([z.number(), z.string()])
  .transform(String)
  .refine((text) => /^-?\d{1,38}(\.\d{1,38})?$/.test(text), { error: 'must be a plain number such as 0 or -12.50' });

const common = {
  name: z
    .string()
    .refine((text) => /^[\p{L}_][\p{L}\p{N}_.-]{0,127}$/u.test(text), {
      error: 'must begin with a letter and hold only letters, digits, _, . and -, at most 128 characters',
    })
    .meta(portable.checkName)
    .describe('Names the check in the run and in a refusal'),
  severity: z
    .enum(['error', 'warn'])
    .default('error')
    .describe('error: failing refuses the file; warn: it is recorded'),
  semantics: z
    .enum(['strict', 'airflow'])
    .default('strict')
    .describe("airflow: verdicts exactly as Airflow's operators give them; strict: their traps closed"),
  stage: z
    .enum(['file', 'features'])
    .default('file')
    .describe("file: the file's accepted rows; features: the features of one view, computed from this file alone"),
  view: z.string().min(1).optional().describe('With stage: features, the view whose features are checked'),
  where: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The check sees only rows for which this is true, such as data_abertura = run_date - 1 and estado = 'SP'",
    ),
};

const compared = {
  reference: z
    .union(
      [
        z.literal('previous'),
        z.strictObject({ file: z.string().min(1).describe('A file below CAUDAL_DATA_DIR/files') }),
        z.strictObject({
          upload: z
            .string()
            .regex(/^[0-9A-HJKMNP-TV-Z]{26}$/, { error: 'must be the id of a run: 26 letters and digits' })
            .describe('The id of a run'),
        }),
      ],
      { error: 'must be previous, { file: path } or { upload: run id }' },
    )
    .optional()
    .describe('What the file is compared with; default: previous, the last accepted upload of the pipeline'),
  days_back: z
    .int()
    .min(-3_650)
    .max(3_650)
    .optional()
    .describe(
      'Compare with the last accepted upload of exactly the day run_date - n (0: of that day itself); the sign is ignored',
    ),
  on_missing_reference: z
    .enum(['pass', 'fail'])
    .optional()
    .describe('Without a reference: pass with the verdict no_reference (strict), or fail (airflow)'),
};

const tested = {
  expression: expression.optional(),
  expressions: z.array(expression).min(1).max(100).optional().describe('Several expressions: all of them must pass'),
};

const number = z.number();
const tolerance = z
  .union([z.number(), z.string()])
  .optional()
  .describe('A fraction of the value that is allowed around it: 0.1 is 10 %');

const comparisonsSchema = z.strictObject({
  equal_to: number.optional(),
  geq_to: number.optional(),
  greater_than: number.optional(),
  leq_to: number.optional(),
  less_than: number.optional(),
  tolerance: z.number().optional().describe('Widens every bound by this fraction of it'),
});

const CHECK_TYPES = [
  'schema_skew',
  'value_skew',
  'row_count_change',
  'drift',
  'check',
  'interval_check',
  'value_check',
  'column_check',
  'table_check',
  'threshold_check',
];

export const COLUMN_CHECK_NAMES = ['null_check', 'distinct_check', 'unique_check', 'min', 'max'] as const;

export const checkSchema = z.discriminatedUnion(
  'type',
  [
    z
      .strictObject({
        ...common,
        type: z.literal('schema_skew'),
        ...compared,
        min_fraction: fraction.default(0).describe('Every column must have a value in at least this share of the rows'),
      })
      .describe('Unexpected and missing columns, changed types, columns with too few values'),
    z
      .strictObject({
        ...common,
        type: z.literal('value_skew'),
        column: columnName,
        min_domain_mass: fraction.default(1).describe('At least this share of the values must be good'),
        domain: z
          .array(z.union([z.string(), z.number(), z.boolean()]).transform(String))
          .min(1)
          .optional(),
        min: bound.optional(),
        max: bound.optional(),
      })
      .describe(
        'Values outside the domain or range, NaN, invalid text: rejected rows count, and what domain, min, max say',
      ),
    z
      .strictObject({
        ...common,
        type: z.literal('row_count_change'),
        ...compared,
        min_fraction: z.number().min(0).optional().describe('Fewest rows, as a fraction of the reference'),
        max_fraction: z.number().min(0).optional().describe('Most rows, as a fraction of the reference'),
      })
      .describe('The number of rows against the reference'),
    z
      .strictObject({
        ...common,
        type: z.literal('drift'),
        ...compared,
        column: columnName,
        measure: z.enum(['l_infinity', 'jensen_shannon', 'psi', 'kolmogorov_smirnov']),
        threshold: z.number().min(0).optional().describe('The measure may not be above it'),
        p_value: z
          .number()
          .gt(0)
          .lt(1)
          .optional()
          .describe('Only with kolmogorov_smirnov: fails where the probability of such a difference is not above it'),
      })
      .describe("A column's distribution against the reference's"),
    z
      .strictObject({ ...common, type: z.literal('check'), ...tested })
      .describe('Every expression is true, or a number other than 0'),
    z
      .strictObject({
        ...common,
        type: z.literal('interval_check'),
        ...compared,
        metrics_thresholds: mapping(z.number().min(0), 'must name at least one metric').describe(
          'Expression: the ratio that it must stay below',
        ),
        ratio_formula: z
          .enum(['max_over_min', 'relative_diff', 'parent_diff'])
          .default('max_over_min')
          .describe(
            'max(a, b) / min(a, b), or |a - b| / b where b is the reference; parent_diff is another name of the latter',
          ),
        ignore_zero: z
          .boolean()
          .optional()
          .describe('A metric that is 0 on either side passes (airflow: default true)'),
        on_zero: z
          .enum(['pass', 'fail'])
          .optional()
          .describe('strict: the verdict of a metric that is 0 on either side'),
        date_filter_column: columnName
          .optional()
          .describe("Only rows of the run's own date in this column, in the file as in the reference"),
      })
      .describe('Metrics against the same metrics of the reference'),
    z
      .strictObject({
        ...common,
        type: z.literal('value_check'),
        ...tested,
        pass_value: z.union([z.number(), z.string()]),
        tolerance,
      })
      .describe('Every expression equals a value, within a tolerance'),
    z
      .strictObject({
        ...common,
        type: z.literal('column_check'),
        column_mapping: mapping(
          z.partialRecord(z.enum(COLUMN_CHECK_NAMES), comparisonsSchema).meta({ minProperties: 1 }),
          'must name at least one column',
        ).describe('Column: null_check, distinct_check, unique_check (repeated values), min, max: what each must be'),
      })
      .describe('Nulls, distinct values, repeated values, smallest and largest value of columns'),
    z
      .strictObject({
        ...common,
        type: z.literal('table_check'),
        checks: mapping(z.strictObject({ check_statement: expression }), 'must name at least one statement').describe(
          'Name: a statement that must hold on every row, or one over aggregates',
        ),
      })
      .describe('Statements that hold on every row; NULL counts as failing'),
    z
      .strictObject({
        ...common,
        type: z.literal('threshold_check'),
        ...tested,
        min_threshold: expression,
        max_threshold: expression,
      })
      .describe('Every expression lies between two bounds, both included'),
  ],
  { error: (issue) => (issue.code === 'invalid_union' ? `must be one of ${CHECK_TYPES.join(', ')}` : undefined) },
);

export type CheckDocument = z.output<typeof checkSchema>;
