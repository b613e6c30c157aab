// The shape of `pipelines/NAME.yaml` as one zod schema: parsing, defaults and messages come from here,
// and so will the JSON Schema for editors. What crosses keys is checked in pipeline-file.ts.
import { z } from 'zod';
import { parseDurationMs } from './duration.js';

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

export const columnSchema = z.strictObject({
  type: z.enum(['string', 'integer', 'decimal', 'timestamp', 'boolean']),
  required: z.boolean().default(false),
  domain: z.array(scalarText).min(1).optional(),
  min: plainNumber.optional(),
});

const windowSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('upload') }),
  z.strictObject({ type: z.literal('all_time') }),
  z.strictObject({
    type: z.literal('tumbling'),
    size: duration.refine((ms) => ms >= 1_000 && ms <= 365 * 86_400_000, { error: 'must be from 1s to 365d' }),
    grace: z.union([z.literal('unlimited'), duration]),
  }),
]);

const columnName = z.string().min(1);
const featureSchema = z.union(
  [
    z.strictObject({ count: columnName }),
    z.strictObject({ sum: columnName }),
    z.strictObject({ avg: columnName }),
    z.strictObject({ min: columnName }),
    z.strictObject({ max: columnName }),
  ],
  {
    error: 'must be one aggregate of one column: { count | sum | avg | min | max: column }, or { count: "*" } for rows',
  },
);

export const viewSchema = z.strictObject({
  group_by: z.array(columnName).min(1),
  window: windowSchema,
  features: z.record(z.string(), featureSchema).refine((map) => Object.keys(map).length > 0, {
    error: 'must name at least one feature',
  }),
  redis: z.strictObject({ key: z.string().min(1).max(512), ttl: positiveDuration.optional() }),
});

export const pipelineSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, {
    error: 'must begin with a-z and hold only a-z, 0-9 and -, at most 41 characters',
  }),
  source: z.strictObject({
    columns: z.record(z.string(), columnSchema),
    event_time: columnName.optional(),
    key: z.array(columnName).min(1).optional(),
    max_error_fraction: z.number().min(0).max(1).default(0.1),
    order: z.enum(['any']).default('any'),
  }),
  views: z.record(z.string(), viewSchema).refine((map) => Object.keys(map).length > 0, {
    error: 'must name at least one view',
  }),
  checks: z.array(z.never({ error: 'no check types are known yet: leave the list empty' })).default([]),
  retention: z
    .strictObject({
      rows: positiveDuration.default(7 * 86_400_000),
      dead_letter: positiveDuration.default(30 * 86_400_000),
      runs: positiveDuration.default(90 * 86_400_000),
    })
    .prefault({}),
});

export type PipelineDocument = z.output<typeof pipelineSchema>;
