// The shape of `pipelines/NAME.yaml` as one zod schema: parsing, defaults and messages come from here,
// and so will the JSON Schema for editors. What crosses keys is checked in pipeline-file.ts.
import { z } from 'zod';
import { checkSchema } from './check-schema.js';
import { parseDurationMs } from './duration.js';
import { LIMITS } from './limits.js';
import { isTimeZone } from './time-zone.js';

const duration = z
  .string()
  .refine((text) => parseDurationMs(text) !== null, { error: 'must be a duration such as 30s, 5m, 1h or 7d' })
  .transform((text) => parseDurationMs(text)!);

const positiveDuration = duration.refine((ms) => ms > 0, { error: 'must be longer than zero' });

const plainNumber = z
  .union([z.number(), z.string()])
  .transform((value) => String(value))
  .refine((text) => /^-?\d{1,38}(\.\d{1,38})?$/.test(text), {
    error: 'must be a plain number such as 0 or -12.50 (quote it when it has many digits)',
  });

const scalarText = z.union([z.string(), z.number(), z.boolean()]).transform((value) => String(value));

const timeZone = z.string().refine(isTimeZone, { error: 'must be an IANA time zone such as America/Sao_Paulo or UTC' });

const spellings = z.array(scalarText).min(1);

export const columnSchema = z.strictObject({
  type: z.enum(['string', 'integer', 'decimal', 'timestamp', 'boolean']),
  required: z.boolean().default(false),
  domain: z.array(scalarText).min(1).optional(),
  min: plainNumber.optional(),
  max: plainNumber.optional(),
  max_length: z.int().min(1).optional(),
  pattern: z.string().min(1).max(1_000).optional(),
  unique: z.boolean().default(false),
  format: z.string().min(1).max(100).optional(),
  time_zone: timeZone.optional(),
  true_values: spellings.optional(),
  false_values: spellings.optional(),
});

const windowSize = duration.refine((ms) => ms >= 1_000 && ms <= 365 * 86_400_000, { error: 'must be from 1s to 365d' });
const grace = z.union([z.literal('unlimited'), duration]);
const emit = z.enum(['updates', 'final']);

const windowSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('upload') }),
  z.strictObject({ type: z.literal('all_time') }),
  z.strictObject({
    type: z.literal('tumbling'),
    size: windowSize,
    grace,
    time_zone: timeZone.optional(),
    emit: emit.optional(),
  }),
  z.strictObject({
    type: z.literal('hopping'),
    size: windowSize,
    advance: windowSize,
    grace,
    time_zone: timeZone.optional(),
    emit: emit.optional(),
  }),
  z.strictObject({ type: z.literal('session'), gap: windowSize, grace, emit: emit.optional() }),
]);

const columnName = z.string().min(1);
const featureSchema = z.union(
  [
    z.strictObject({ count: columnName }),
    z.strictObject({ sum: columnName }),
    z.strictObject({ avg: columnName }),
    z.strictObject({ min: columnName }),
    z.strictObject({ max: columnName }),
    z.strictObject({ first: columnName }),
    z.strictObject({ last: columnName }),
    z.strictObject({ variance: columnName }),
    z.strictObject({ stddev: columnName }),
    z.strictObject({ approx_count_distinct: columnName }),
    z.strictObject({ approx_quantile: z.strictObject({ column: columnName, q: z.number().min(0).max(1) }) }),
    z.strictObject({ top_k: z.strictObject({ column: columnName, k: z.int().min(1).max(100) }) }),
  ],
  {
    error:
      'must be one aggregate of one column: { count | sum | avg | min | max | first | last | variance | stddev | ' +
      'approx_count_distinct: column }, { approx_quantile: { column, q: 0 to 1 } }, { top_k: { column, k: 1 to 100 } }, ' +
      'or { count: "*" } for rows',
  },
);

export const viewSchema = z.strictObject({
  group_by: z.array(columnName).min(1),
  window: windowSchema,
  emit: emit.optional(),
  features: z.record(z.string(), featureSchema).refine((map) => Object.keys(map).length > 0, {
    error: 'must name at least one feature',
  }),
  redis: z.strictObject({ key: z.string().min(1).max(512), ttl: positiveDuration.optional() }),
});

const oneCharacter = z
  .string()
  .refine((text) => text.length === 1 && text > ' ' && text <= '~', { error: 'must be one printable ASCII character' });

const sourceSchema = z.strictObject({
  columns: z.record(z.string(), columnSchema),
  event_time: columnName.optional(),
  key: z.array(columnName).min(1).optional(),
  max_error_fraction: z.number().min(0).max(1).default(0.1),
  order: z.enum(['any', 'event_time']).default('any'),
  max_future: duration.default(86_400_000),
  delimiter: z.enum(['auto', ',', ';', 'tab', 'pipe']).default('auto'),
  quote: oneCharacter.default('"'),
  encoding: z.enum(['auto', 'utf-8', 'utf-16le', 'utf-16be', 'latin1', 'windows-1252']).default('auto'),
  decimal_mark: z.enum(['auto', '.', ',']).default('auto'),
  header: z.array(columnName).min(1).optional(),
  comment: oneCharacter.optional(),
  trim: z.boolean().default(false),
  nulls: z.array(scalarText).default(['']),
  unknown_columns: z.enum(['allow', 'reject']).default('allow'),
});

const scheduleSchema = z.strictObject({
  cron: z.string().min(1),
  time_zone: timeZone.default('UTC'),
  file: z.string().min(1),
  save_to_db: z.boolean().default(true),
});

const notifySchema = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'must be an http or https address' }),
  on: z
    .array(z.enum(['completed', 'rejected', 'failed']))
    .min(1)
    .default(['completed', 'rejected', 'failed']),
});

export const pipelineSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, {
    error: 'must begin with a-z and hold only a-z, 0-9 and -, at most 41 characters',
  }),
  source: sourceSchema,
  views: z.record(z.string(), viewSchema).refine((map) => Object.keys(map).length > 0, {
    error: 'must name at least one view',
  }),
  checks: z.array(checkSchema).max(LIMITS.columns).default([]),
  schedule: scheduleSchema.optional(),
  retries: z
    .strictObject({ attempts: z.int().min(1).max(100).default(3), delay: duration.default(180_000) })
    .optional(),
  notify: notifySchema.optional(),
  retention: z
    .strictObject({
      rows: positiveDuration.default(7 * 86_400_000),
      dead_letter: positiveDuration.default(30 * 86_400_000),
      runs: positiveDuration.default(90 * 86_400_000),
    })
    .prefault({}),
});

export type PipelineDocument = z.output<typeof pipelineSchema>;
