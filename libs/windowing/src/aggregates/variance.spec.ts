// `variance` and `stddev`: of a sample, from exact sums, rounded once. The oracle computes with fractions of BigInt from
// the definition: the mean first, then the squared distances.
import fc from 'fast-check';
import { accumulate } from '../testing.js';
import { stddev } from './stddev.js';
import { variance } from './variance.js';

const both = (...cells: (string | number | null)[]) => [
  variance.result(accumulate(variance, cells)),
  stddev.result(accumulate(stddev, cells)),
];

const DIGITS = 38;
const unitsOf = (text: string): bigint => {
  const [whole, fraction = ''] = text.replace('-', '').split('.');
  return BigInt(whole! + fraction.padEnd(DIGITS, '0')) * (text.startsWith('-') ? -1n : 1n);
};
const plain = (millionths: bigint): string => {
  const text = millionths.toString().padStart(7, '0');
  return `${text.slice(0, -6)}.${text.slice(-6)}`.replace(/\.?0+$/, '');
};
/** Variance as numerator and denominator. */
function fractionOf(values: readonly string[]): [bigint, bigint] {
  const n = BigInt(values.length);
  const units = values.map(unitsOf);
  const total = units.reduce((a, b) => a + b, 0n);
  // Distances from the mean, all times n.
  const squares = units.reduce((sum, unit) => sum + (unit * n - total) ** 2n, 0n);
  return [squares, n * n * (n - 1n) * 10n ** BigInt(2 * DIGITS)];
}
const halfEven = (a: bigint, b: bigint): bigint => {
  const [quotient, rest] = [a / b, a % b];
  return rest * 2n > b || (rest * 2n === b && quotient % 2n === 1n) ? quotient + 1n : quotient;
};

const decimal = fc.oneof(
  fc.integer({ min: -9, max: 9 }).map(String),
  fc.tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 999 })).map(([a, b]) => `${a}.${b}`),
  fc
    .tuple(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.integer({ min: 0, max: 38 }))
    .map(withScale),
);
function withScale([unscaled, scale]: [bigint, number]): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`;
}

describe('variance and stddev', () => {
  it.each([
    [['2', '4', '4', '4', '5', '5', '7', '9'], '4.571429', '2.13809'],
    [['1', null, 3], '2', '1.414214'],
    [['5', '5.0', '5.00'], '0', '0'],
    [['0.1', '0.2', '0.3'], '0.01', '0.1'],
    [['9007199254740993', '9007199254740991'], '2', '1.414214'],
    // A float's sum of squares loses all of this.
    [['10000000000000000000000000000000000001', '10000000000000000000000000000000000003'], '2', '1.414214'],
    [['0.00000000000000000000000000000000000001', '99999999999999999999999999999999999999'], null, null],
  ])('of %j', (cells, expected, root) => {
    const [squared, plainRoot] = both(...cells);
    if (expected !== null) expect([squared, plainRoot]).toEqual([expected, root]);
    else expect([squared, plainRoot]).toEqual(naive(cells as string[]));
  });

  it('is null of no value and of one', () => {
    expect([both(), both(null, ''), both('7')]).toEqual([
      [null, null],
      [null, null],
      [null, null],
    ]);
  });

  it('rounds ties to the even neighbour, once', () => {
    // Two values d apart have the variance d^2 / 2 and the deviation d / sqrt(2).
    expect(both('0', '0.001')[0]).toBe('0');
    expect(both('0', '0.003')[0]).toBe('0.000004');
    expect(both('0', '0', '0', '0.000001')[1]).toBe('0');
    expect(both('0', '0', '0', '0.000003')[1]).toBe('0.000002');
    expect(both('0', '0', '0', '0.000005')[1]).toBe('0.000002');
  });

  it('equals the definition, whatever scales and sizes meet', () => {
    fc.assert(
      fc.property(fc.array(decimal, { minLength: 2, maxLength: 8 }), (cells) => {
        expect(both(...cells)).toEqual(naive(cells));
      }),
    );
  });
});

function naive(cells: readonly string[]): [string, string] {
  const [a, b] = fractionOf(cells);
  // The root by bisection over millionths: the largest r with (r - 1/2)^2 <= a / b * 10^12, ties to the even one.
  const scaled = 4n * a * 10n ** 12n;
  let [low, high] = [0n, 1n];
  while ((2n * high - 1n) ** 2n * b <= scaled) high *= 2n;
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    if ((2n * middle - 1n) ** 2n * b <= scaled) low = middle;
    else high = middle - 1n;
  }
  if (low > 0n && low % 2n === 1n && (2n * low - 1n) ** 2n * b === scaled) low--;
  return [plain(halfEven(a * 10n ** 6n, b)), plain(low)];
}
