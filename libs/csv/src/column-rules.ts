// What a typed value must keep to beside its type: the rules that a pipeline declares for its column.
import { cellText, LIMITS, type Column, type DeadLetterCode } from '#contracts';
import { canonicalBound, compareNumbers } from './plain-number.js';
import { isValueFault, valueReader } from './type-value.js';

/** Of a value's canonical text: the rule that it breaks, as the end of a sentence about the column; null for none. */
export type Rule = (text: string) => { code: DeadLetterCode; rule: string } | null;

/** `grouping`: the column is part of a key or a group, whose text is bounded. */
export function rulesOf(column: Column, grouping: boolean): Rule[] {
  const rules: Rule[] = [];
  const { domain, min, max, maxLength, pattern } = column;
  const add = (breaks: (text: string) => boolean, code: DeadLetterCode, rule: string) =>
    rules.push((text) => (breaks(text) ? { code, rule } : null));
  if (domain !== null) {
    const allowed = canonicalDomain(column, domain);
    add((text) => !allowed.has(text), 'domain', `is none of the ${allowed.size} allowed values`);
  }
  if (min !== null) {
    const bound = canonicalBound(min);
    add((text) => compareNumbers(text, bound) < 0, 'range', `is below the minimum of ${bound}`);
  }
  if (max !== null) {
    const bound = canonicalBound(max);
    add((text) => compareNumbers(text, bound) > 0, 'range', `is above the maximum of ${bound}`);
  }
  if (maxLength !== null) {
    add((text) => longerThan(text, maxLength), 'length', `is longer than ${maxLength} characters`);
  }
  if (pattern !== null) {
    const most = LIMITS.patternCharacters;
    const whole = new RegExp(`^(?:${pattern})$`, 'u');
    add((text) => text.length > most, 'pattern', `is longer than the ${most} characters on which a pattern is tried`);
    add((text) => !whole.test(text), 'pattern', `does not match ${pattern}`);
  }
  if (grouping) {
    const most = LIMITS.groupValueBytes;
    add((text) => exceedsBytes(text, most), 'length', `is longer than the ${most} bytes of a group value`);
  }
  return rules;
}

/** The allowed values as cells come out: `1.50` in the pipeline file allows the cell `1.5`. */
function canonicalDomain(column: Column, domain: ReadonlySet<string>): ReadonlySet<string> {
  // Written in the pipeline file, which has its own style, whatever that of the data.
  const read = valueReader(column, { decimalMark: '.', thousands: false }, []);
  return new Set(
    [...domain].map((text) => {
      const value = read(text);
      return value === null || isValueFault(value) ? text : cellText(value);
    }),
  );
}

/** In characters: code points. No text has more of them than UTF-16 units, so short ones need no counting. */
function longerThan(text: string, characters: number): boolean {
  if (text.length <= characters) return false;
  let count = 0;
  for (const _ of text) if (++count > characters) return true;
  return false;
}

/** No character takes more than three bytes per UTF-16 unit, so short texts need no counting. */
function exceedsBytes(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}
