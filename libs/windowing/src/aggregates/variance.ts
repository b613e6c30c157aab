// `variance`: of a sample (divided by n - 1, as Spark's `variance`), exact, rounded once to 6 fractional digits, half-even.
import { Decimal } from '../decimal.js';
import { ofVariance } from './moments.js';

const DIGITS = 6;

export const variance = ofVariance(({ numerator, denominator, scale }) =>
  Decimal.of(numerator, scale).divideHalfEven(denominator, DIGITS),
);
