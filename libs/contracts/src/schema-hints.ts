// What zod checks by code and JSON Schema can say too, for editors: both stand together here. Patterns keep to what every
// regular expression engine reads: Python's, for one, has no \p{L}, and would refuse the whole schema.
import { z } from 'zod';

/** Letters are "all but ASCII's other signs": wider than what is allowed, which the code tells exactly. */
const LETTER = '[^\\u0000-@\\[-`{-\\u007f]';
const LETTER_OR_UNDERSCORE = '[^\\u0000-@\\[-\\^`{-\\u007f]';
const LATER = '[^\\u0000-,/:-@\\[-\\^`{-\\u007f]';

export const portable = {
  columnName: { pattern: '^[^_\\u0000-\\u001f\\u007f][^\\u0000-\\u001f\\u007f]{0,254}$' },
  featureName: { pattern: `^${LETTER}${LATER}{0,127}$` },
  viewName: { pattern: '^[A-Za-z][A-Za-z0-9_-]{0,62}$' },
  checkName: { pattern: `^${LETTER_OR_UNDERSCORE}${LATER}{0,127}$` },
};

/** A mapping of names to `value` with at least one entry; `error` where it has none. */
export function mapping<Value extends z.ZodType>(value: Value, error: string, propertyNames?: { pattern: string }) {
  return z
    .record(z.string(), value)
    .refine((map) => Object.keys(map).length > 0, { error })
    .meta({ minProperties: 1, ...(propertyNames && { propertyNames }) });
}

/** A list that names nothing twice: the schema says so, pipeline-rules.ts with whose names they are. */
export function unique<List extends z.ZodType>(list: List): List {
  return list.meta({ uniqueItems: true });
}
