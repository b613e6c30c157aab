// `stddev`: the square root of the exact sample variance, rounded once to 6 fractional digits, half-even.
import { Decimal } from '../decimal.js';
import { ofVariance } from './moments.js';

const DIGITS = 6;
const UNITS = 10n ** BigInt(2 * DIGITS);

export const stddev = ofVariance(({ numerator, denominator, scale }) => {
  // Everything in units of 10^-6: the root of (a / b), where a and b are integers.
  const a = numerator * UNITS;
  const b = denominator * 10n ** BigInt(scale);
  const root = floorRoot(a / b);
  // Whether the true root lies above `root + 1/2`, told exactly: a / b against (root + 1/2)^2.
  const [four, half] = [4n * a, (2n * root + 1n) ** 2n * b];
  const up = four > half || (four === half && root % 2n === 1n);
  return Decimal.of(up ? root + 1n : root, DIGITS);
});

/** The largest integer whose square is at most `n`, by Newton's method from above. */
function floorRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let root = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
