// What the rules of one column in a pipeline file must keep to: go with its type, be readable, and let some value pass.
import type { PipelineDocument } from './pipeline-schema.js';
import type { Path, Report } from './pipeline-rules.js';
import { patternProblem } from './safe-pattern.js';
import { formatProblem } from './timestamp-format.js';

export type ColumnDocument = PipelineDocument['source']['columns'][string];

/** Which rules go with which types. */
const RULE_TYPES: [keyof ColumnDocument, readonly ColumnDocument['type'][]][] = [
  ['min', ['integer', 'decimal']],
  ['max', ['integer', 'decimal']],
  ['max_length', ['string']],
  ['pattern', ['string']],
  ['format', ['timestamp']],
  ['time_zone', ['timestamp']],
  ['true_values', ['boolean']],
  ['false_values', ['boolean']],
];

/** `nulls`: the pipeline's spellings of the empty value. */
export function checkColumn(
  name: string,
  column: ColumnDocument,
  nulls: readonly string[],
  path: Path,
  report: Report,
) {
  for (const [rule, types] of RULE_TYPES) {
    if (column[rule] === undefined || types.includes(column.type)) continue;
    report([...path, rule], `"${rule}" is allowed for ${types.join(' and ')} columns, "${name}" is ${column.type}`);
  }
  const pattern = column.pattern === undefined ? null : patternProblem(column.pattern);
  if (pattern) report([...path, 'pattern'], pattern);
  const format = column.format === undefined ? null : formatProblem(column.format);
  if (format) report([...path, 'format'], format);
  if (column.min !== undefined && column.max !== undefined && scaled(column.min) > scaled(column.max)) {
    report([...path, 'max'], `must not be below min (${column.min})`);
  }
  checkBooleans(column, path, report);
  checkDomain(column, nulls, path, report);
}

function checkBooleans(
  { true_values: yes = ['true'], false_values: no = ['false'] }: ColumnDocument,
  path: Path,
  report: Report,
) {
  const falses = new Set(no.map((text) => text.toLowerCase()));
  const both = yes.filter((text) => falses.has(text.toLowerCase()));
  if (both.length > 0) report([...path, 'false_values'], `${both.join(', ')} cannot be both true and false`);
}

const FITS: Partial<Record<ColumnDocument['type'], { test: RegExp; what: string }>> = {
  integer: { test: /^[+-]?\d{1,19}$/, what: 'an integer' },
  decimal: { test: /^[+-]?\d{1,38}(\.\d{1,38})?$/, what: 'a plain number' },
  timestamp: { test: /^\d{4}-\d{2}-\d{2}/, what: 'an ISO 8601 date' },
  boolean: { test: /^(true|false)$/i, what: 'true or false' },
};

/** Values that no cell can have would make a domain that refuses more than it seems to. */
function checkDomain(column: ColumnDocument, nulls: readonly string[], path: Path, report: Report): void {
  const { domain = [], type, max_length: most, min, max } = column;
  const spelled = [...(column.true_values ?? []), ...(column.false_values ?? [])].map((text) => text.toLowerCase());
  const fits = FITS[type];
  domain.forEach((value, index) => {
    const at = [...path, 'domain', index];
    const wrong =
      fits !== undefined && !fits.test.test(value) && !(type === 'boolean' && spelled.includes(value.toLowerCase()));
    if (value === '' || nulls.includes(value))
      report(at, 'is a spelling of the empty value, which needs no place in a domain');
    else if (wrong) report(at, `must be ${fits.what}, as the column is ${type}`);
    else if (most !== undefined && [...value].length > most) report(at, `is longer than max_length (${most})`);
    else if (min !== undefined && FITS.decimal!.test.test(value) && scaled(value) < scaled(min))
      report(at, `is below min (${min})`);
    else if (max !== undefined && FITS.decimal!.test.test(value) && scaled(value) > scaled(max))
      report(at, `is above max (${max})`);
  });
}

/** A plain number times 10^38, exactly. */
function scaled(text: string): bigint {
  const [whole = '', fraction = ''] = text.replace(/^[+-]/, '').split('.');
  const value = BigInt(whole + fraction.padEnd(38, '0'));
  return text.startsWith('-') ? -value : value;
}
