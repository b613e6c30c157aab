// The shape of `pipelines/NAME.yaml` as one zod schema: parsing, defaults and messages come from here, and so do the JSON
// Schema for editors and the reference page (pipeline-reference.ts). What crosses keys is checked in pipeline-rules.ts.
import { z } from 'zod';
import { checkSchema } from './check-schema.js';
import { DURATION_PATTERN, parseDurationMs } from './duration.js';
import { LIMITS } from './limits.js';
import { mapping, portable, unique } from './schema-hints.js';
import { isTimeZone } from './time-zone.js';

const DURATION_ERROR = { error: 'must be a duration such as 30s, 5m, 1h or 7d' };
const duration = z
  .string(DURATION_ERROR)
  .regex(DURATION_PATTERN, DURATION_ERROR)
  .refine((text) => parseDurationMs(text) !== null, DURATION_ERROR)
  .transform((text) => parseDurationMs(text)!);

const positiveDuration = duration.refine((ms) => ms > 0, { error: 'must be longer than zero' });

const plainNumber = z
  .union([z.number(), z.string()])
  .transform((value) => String(value))
  .refine((text) => /^-?\d{1,38}(\.\d{1,38})?$/.test(text), {
    error: 'must be a plain number such as 0 or -12.50 (quote it when it has many digits)',
  });

const scalarText = z.union([z.string(), z.number(), z.boolean()]).transform((value) => String(value));

const TIME_ZONE_ERROR = { error: 'must be an IANA time zone such as America/Sao_Paulo or UTC' };
const timeZone = z.string(TIME_ZONE_ERROR).refine(isTimeZone, TIME_ZONE_ERROR);

const spellings = z.array(scalarText).min(1);

export const columnSchema = z.strictObject({
  type: z.enum(['string', 'integer', 'decimal', 'timestamp', 'boolean']).describe('What the values are (`type`)'),
  required: z.boolean().default(false).describe('An empty value rejects the row (`required`)'),
  domain: z.array(scalarText).min(1).optional().describe('The allowed values; any other rejects the row (`domain`)'),
  min: plainNumber.optional().describe('integer, decimal: the smallest allowed number (`range`)'),
  max: plainNumber.optional().describe('integer, decimal: the largest allowed number (`range`)'),
  max_length: z.int().min(1).optional().describe('string: the most characters (`length`)'),
  pattern: z
    .string()
    .min(1)
    .max(1_000)
    .optional()
    .describe('string: a regular expression (JavaScript, flag u) that the whole value matches (`pattern`)'),
  unique: z
    .boolean()
    .default(false)
    .describe('Of rows with the same value in one file only the first accepted one is taken (`unique`)'),
  format: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("timestamp: how it is written, in Luxon's tokens, such as dd/MM/yyyy HH:mm; without it ISO 8601"),
  time_zone: timeZone.optional().describe('timestamp: the IANA zone of values that state none; default UTC'),
  true_values: spellings.optional().describe('boolean: spellings of true, in any case; default true'),
  false_values: spellings.optional().describe('boolean: spellings of false, in any case; default false'),
});

const windowSize = duration.refine((ms) => ms >= 1_000 && ms <= 365 * 86_400_000, { error: 'must be from 1s to 365d' });
const grace = z
  .union([z.literal('unlimited'), duration], { error: 'must be a duration such as 1h or 7d, or unlimited' })
  .describe('How long after its end a window still takes rows; `unlimited`: it never closes');
const emit = z
  .enum(['updates', 'final'])
  .describe('updates (default): a feature record at each change; final: only the one when the window closes');
const windowZone = timeZone
  .optional()
  .describe('Windows of whole days that begin at local midnight of this IANA zone; without it they begin in UTC');

const windowSchema = z.discriminatedUnion('type', [
  z
    .strictObject({ type: z.literal('upload') })
    .describe('One window per upload, emitted once at its end; it replaces the values of the groups it names'),
  z.strictObject({ type: z.literal('all_time') }).describe('One window for ever: accumulates over uploads'),
  z
    .strictObject({
      type: z.literal('tumbling'),
      size: windowSize.describe('1s to 365d'),
      grace,
      time_zone: windowZone,
      emit: emit.optional(),
    })
    .describe('Windows of one size, one after the other'),
  z
    .strictObject({
      type: z.literal('hopping'),
      size: windowSize.describe('1s to 365d'),
      advance: windowSize.describe('From the beginning of one window to that of the next; not longer than size'),
      grace,
      time_zone: windowZone,
      emit: emit.optional(),
    })
    .describe('Windows of one size that overlap'),
  z
    .strictObject({
      type: z.literal('session'),
      gap: windowSize.describe('Rows of a group that are not further apart than this make one window'),
      grace,
      emit: emit.optional(),
    })
    .describe('Windows that last as long as rows keep coming'),
]);

const columnName = z.string().min(1);
const aggregate = (meaning: string) => columnName.describe(meaning);
const featureSchema = z.union(
  [
    z.strictObject({ count: aggregate('Values of a column that are not empty; "*" counts rows') }),
    z.strictObject({ sum: aggregate('Their exact sum') }),
    z.strictObject({ avg: aggregate('Their average, 6 fractional digits, half-even') }),
    z.strictObject({ min: aggregate('The smallest') }),
    z.strictObject({ max: aggregate('The largest') }),
    z.strictObject({ first: aggregate('The value of the row with the earliest time (then upload, then row)') }),
    z.strictObject({ last: aggregate('The value of the row with the latest time (then upload, then row)') }),
    z.strictObject({ variance: aggregate('The variance of a sample (divided by n - 1)') }),
    z.strictObject({ stddev: aggregate('The standard deviation of a sample') }),
    z.strictObject({ approx_count_distinct: aggregate('How many different values, nearly') }),
    z.strictObject({
      approx_quantile: z
        .strictObject({ column: columnName, q: z.number().min(0).max(1).describe('0.5 is the median') })
        .describe('A quantile, nearly'),
    }),
    z.strictObject({
      top_k: z
        .strictObject({ column: columnName, k: z.int().min(1).max(100).describe('How many') })
        .describe('The most frequent values'),
    }),
  ],
  {
    error:
      'must be one aggregate of one column: { count | sum | avg | min | max | first | last | variance | stddev | ' +
      'approx_count_distinct: column }, { approx_quantile: { column, q: 0 to 1 } }, { top_k: { column, k: 1 to 100 } }, ' +
      'or { count: "*" } for rows',
  },
);

export const viewSchema = z.strictObject({
  group_by: unique(z.array(columnName).min(1)).describe('Required columns; rows with the same values are one group'),
  window: windowSchema.describe('Which rows of a group belong together'),
  emit: emit.optional(),
  features: mapping(featureSchema, 'must name at least one feature', portable.featureName).describe(
    'By name: one aggregate of one column each',
  ),
  redis: z
    .strictObject({
      key: z
        .string()
        .min(1)
        .max(512)
        .describe(
          'Template of the key: {column} for every group column, {view}, {pipeline}, and {window_start}, {window_end} (epoch ms) of windows of time. Without {window_start} the key holds the newest window',
        ),
      ttl: positiveDuration.optional().describe('How long after its last change a key lives; without it for ever'),
    })
    .describe('Where the features are written'),
});

const oneCharacter = z.string().regex(/^[!-~]$/, { error: 'must be one printable ASCII character' });

const sourceSchema = z.strictObject({
  columns: z
    .record(z.string(), columnSchema)
    .meta({ minProperties: 1, propertyNames: portable.columnName })
    .describe('The columns by name, in any order of the file'),
  event_time: columnName
    .optional()
    .describe("A required timestamp column that dates the row; without it the run's created_at does"),
  key: unique(z.array(columnName).min(1))
    .optional()
    .describe("Columns that key the rows topic; default: the first view's group_by"),
  max_error_fraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('The file is refused when rejected / read is above'),
  order: z
    .enum(['any', 'event_time'])
    .default('any')
    .describe(
      'any: a file is a set, stream time moves at its end, the order of rows changes nothing; event_time: rows come in the order of their time, stream time also moves every 1,000 rows',
    ),
  max_future: duration
    .prefault('1d')
    .describe("A row dated further beyond its run's created_at is rejected (`event_time`)"),
  delimiter: z
    .enum(['auto', ',', ';', 'tab', 'pipe'])
    .default('auto')
    .describe('Between fields; auto: found in the first 64 KiB'),
  quote: oneCharacter.default('"').describe('Around fields that hold delimiters or line breaks; doubled inside'),
  encoding: z
    .enum(['auto', 'utf-8', 'utf-16le', 'utf-16be', 'latin1', 'windows-1252'])
    .default('auto')
    .describe('auto: a byte order mark decides, else UTF-8 or windows-1252 by the first 64 KiB'),
  decimal_mark: z
    .enum(['auto', '.', ','])
    .default('auto')
    .describe(
      'auto: "," only where values of decimal columns end in a comma and digits and none in a point and digits, in the first 64 KiB',
    ),
  header: unique(z.array(columnName).min(1))
    .optional()
    .describe('Names of the columns, of a file that has no header line; then its first line is a row'),
  comment: oneCharacter.optional().describe('Lines that begin with it are left out'),
  trim: z.boolean().default(false).describe('Takes off spaces and tabs around unquoted values and column names'),
  nulls: z.array(scalarText).prefault(['']).describe('Spellings of the empty value; an empty field always is one'),
  unknown_columns: z
    .enum(['allow', 'reject'])
    .default('allow')
    .describe('Columns that are not declared: allowed and not published, or the file is refused'),
});

const scheduleSchema = z
  .strictObject({
    cron: z.string().min(1).describe('When, as cron writes it'),
    time_zone: timeZone.default('UTC').describe('IANA zone of the cron times and of run_date'),
    file: z.string().min(1).describe('Below CAUDAL_DATA_DIR/files'),
    save_to_db: z.boolean().default(true).describe('false: a rehearsal'),
  })
  .describe('A file that is taken at set times');

const notifySchema = z
  .strictObject({
    url: z.url({ protocol: /^https?$/, error: 'must be an http or https address' }).describe('Gets the run by POST'),
    on: z
      .array(z.enum(['completed', 'rejected', 'failed']))
      .min(1)
      .default(['completed', 'rejected', 'failed'])
      .describe('The ends that are told'),
  })
  .describe('Who is told when a run has ended');

export const pipelineSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,40}$/, {
      error: 'must begin with a-z and hold only a-z, 0-9 and -, at most 41 characters',
    })
    .describe("The file's own name without .yaml: a-z, digits and -, at most 41 characters"),
  source: sourceSchema.describe('What a file of this kind holds, how it is written, and which rows are good'),
  views: mapping(viewSchema, 'must name at least one view', portable.viewName).describe(
    'By name: how rows are grouped and what is computed of them',
  ),
  checks: z.array(checkSchema).max(LIMITS.columns).default([]).describe('What a file must pass before it is published'),
  schedule: scheduleSchema.optional(),
  retries: z
    .strictObject({
      attempts: z.int().min(1).max(100).default(3).describe('In all, the first one counted'),
      delay: duration.prefault('3m').describe('Between two attempts'),
    })
    .optional()
    .describe('How often passing faults of a run are tried again'),
  notify: notifySchema.optional(),
  retention: z
    .strictObject({
      rows: positiveDuration.prefault('7d').describe('Of the rows topic'),
      dead_letter: positiveDuration.prefault('30d').describe('Of dead letters and late rows'),
      runs: positiveDuration.prefault('90d').describe('Of runs and what is kept with them'),
    })
    .prefault({})
    .describe('How long topics keep what they hold'),
});

export type PipelineDocument = z.output<typeof pipelineSchema>;
