// A value that a pipeline file's schema does not take -> what may stand there, in words, told by the schema itself.
import { z } from 'zod';

const MISSING = new Map<unknown, string>([
  [undefined, 'is missing: '],
  [null, 'has no value: '],
]);

/** For zod's `error`: asked only where the schema has no words of its own. Undefined: zod's own words will do. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
    case 'invalid_value':
      return `${MISSING.get(issue.input) ?? ''}must be ${allowed(issue.inst)}`;
    case 'invalid_union':
      if (issue.discriminator !== undefined) return `must be one of ${discriminators(issue.inst, issue.discriminator)}`;
      return `${MISSING.get(issue.input) ?? ''}must be ${allowed(issue.inst)}`;
    case 'too_small':
      return size(issue.origin, Number(issue.minimum), issue.inclusive === false ? 'above' : 'at least');
    case 'too_big':
      return size(issue.origin, Number(issue.maximum), issue.inclusive === false ? 'below' : 'at most');
    default:
      return undefined;
  }
}

function size(origin: string, bound: number, how: string): string {
  if (origin === 'array') return `must have ${how} ${bound} ${bound === 1 ? 'entry' : 'entries'}`;
  if (origin === 'string') return `must have ${how} ${bound} character${bound === 1 ? '' : 's'}`;
  return `must be ${how} ${bound}`;
}

/** Values as a reader can tell them apart in a list: `auto, ",", ";", tab`. */
export function listed(values: Iterable<unknown>): string {
  const texts = [...values].map(String);
  return texts.map((text) => (/[\p{L}\p{N}]/u.test(text) ? text : JSON.stringify(text))).join(', ');
}

function allowed(schema: unknown): string {
  if (schema instanceof z.ZodEnum) return `one of ${listed(schema.options)}`;
  if (schema instanceof z.ZodLiteral) return listed(schema.values);
  if (schema instanceof z.ZodString) return 'a text';
  if (schema instanceof z.ZodBoolean) return 'true or false';
  if (schema instanceof z.ZodNumber) return schema.format === null ? 'a number' : 'a whole number';
  if (schema instanceof z.ZodArray) return `a list ([a, b]), each entry ${allowed(schema.element)}`;
  if (schema instanceof z.ZodRecord) return `a mapping of names, each to ${allowed(schema.valueType)}`;
  if (schema instanceof z.ZodObject) return `a mapping with the keys ${listed(Object.keys(schema.shape))}`;
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const { discriminator } = schema.def;
    return `a mapping with "${discriminator}", one of ${discriminators(schema, discriminator)}`;
  }
  if (schema instanceof z.ZodUnion) return [...new Set(schema.options.map(allowed))].join(' or ');
  if (schema instanceof z.ZodPipe) return allowed(schema.in);
  const inner = (schema as Partial<z.ZodType> | undefined)?.def as { innerType?: unknown } | undefined;
  return inner?.innerType === undefined ? 'another value' : allowed(inner.innerType);
}

function discriminators(schema: unknown, key: string): string {
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return 'another value';
  const shapes = schema.options.map((option) => (option as z.ZodObject).shape as Record<string, unknown>);
  return shapes.map((shape) => allowed(shape[key])).join(', ');
}
