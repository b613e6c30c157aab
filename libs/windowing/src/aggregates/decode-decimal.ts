// Decimals in changelog records: plain text, nothing else.
import { Decimal } from '../decimal.js';
import { WindowingError } from '../errors.js';

/** Throws WindowingError `bad_changelog` when the value is not a plain decimal's text. */
export function decodeDecimal(value: unknown): Decimal {
  try {
    if (typeof value === 'string') return Decimal.parse(value);
  } catch (cause) {
    throw new WindowingError('bad_changelog', 'no decimal in a changelog record', { cause });
  }
  throw new WindowingError('bad_changelog', `no decimal in a changelog record: ${JSON.stringify(value)}`);
}
