// Decimals against BigInt rationals: any mix of scales up to 38 digits, and every tie.
import fc from 'fast-check';
import { compareSafe, Decimal, raiseSafe, scanDecimal, scanned } from './decimal.js';

const parse = (text: string) => Decimal.parse(text);

/** Plain decimal text with up to 38 digits, short ones often: both paths, and the border between them. */
const decimalText = fc
  .tuple(
    fc.boolean(),
    fc.oneof(
      fc.bigInt({ min: 0n, max: 10n ** 4n }),
      fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
      fc.bigInt({ min: 0n, max: 10n ** 38n - 1n }),
    ),
    fc.integer({ min: 0, max: 38 }),
  )
  .map(([negative, digits, scale]) => {
    const text = digits.toString().padStart(scale + 1, '0');
    const whole = text.slice(0, text.length - scale);
    return `${negative ? '-' : ''}${whole}${scale === 0 ? '' : `.${text.slice(-scale)}`}`;
  });

/** The oracle: every decimal as an integer of 10^-38. */
const UNIT = 38;
function rational(text: string): bigint {
  const [whole, fraction = ''] = text.replace('-', '').split('.');
  const value = BigInt(whole! + fraction.padEnd(UNIT, '0'));
  return text.startsWith('-') ? -value : value;
}
const sign = (n: number | bigint) => (n < 0 ? -1 : n > 0 ? 1 : 0);

describe('Decimal', () => {
  it.each([
    ['65000', '65000'],
    ['0.30', '0.3'],
    ['10.100', '10.1'],
    ['-0', '0'],
    ['-0.00', '0'],
    ['007.50', '7.5'],
    ['-0.5', '-0.5'],
    ['100', '100'],
    ['5.000', '5'],
    ['9007199254740991', '9007199254740991'],
    ['9007199254740993', '9007199254740993'],
    ['-90071992547409.93', '-90071992547409.93'],
    ['0.00000000000000000000000000000000000001', '0.00000000000000000000000000000000000001'],
    ['1000000000000000000000000', '1000000000000000000000000'],
    ['1.50000000000000000000000000000000', '1.5'],
  ])('writes %s plainly, as %s', (text, plain) => {
    expect(parse(text).format()).toBe(plain);
  });

  it.each([
    '',
    '-',
    '.',
    '.5',
    '5.',
    '1e5',
    '+1',
    ' 1',
    '1 ',
    '1,5',
    '1.2.3',
    '--1',
    'NaN',
    'true',
    '١',
    `${'9'.repeat(30)}x`,
  ])('refuses %j', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'bad_decimal', retriable: false }));
  });

  it('adds what floats cannot', () => {
    expect(parse('0.1').add(parse('0.2')).format()).toBe('0.3');
    expect(parse('9007199254740991').add(parse('0.01')).format()).toBe('9007199254740991.01');
    expect(parse('9007199254740993').add(parse('-9007199254740992')).unscaled).toBe(1);
    expect(parse('-9007199254740990').add(parse('-1')).unscaled).toBe(-9007199254740991);
    expect(parse('-9007199254740990').add(parse('-2')).unscaled).toBe(-9007199254740992n);
  });

  it.each([
    ['10', 3, '3.333333'],
    ['20', 3, '6.666667'],
    ['-20', 3, '-6.666667'],
    ['0.0000005', 1, '0'],
    ['0.0000015', 1, '0.000002'],
    ['0.0000025', 1, '0.000002'],
    ['-0.0000015', 1, '-0.000002'],
    ['-0.0000005', 1, '0'],
    ['0.000001', 2, '0'],
    ['0.000003', 2, '0.000002'],
    ['0.00000050000000000000000000000000000001', 1, '0.000001'],
    ['195000', 3, '65000'],
  ])('divides %s by %i, half-even: %s', (text, n, result) => {
    expect(parse(text).divideHalfEven(n).format()).toBe(result);
    expect(parse(text).divideHalfEven(BigInt(n)).format()).toBe(result);
  });

  it('parses, formats and parses again to the same', () => {
    fc.assert(
      fc.property(decimalText, (text) => {
        const formatted = parse(text).format();
        expect(rational(formatted)).toBe(rational(text));
        expect(formatted).toMatch(/^(0|-?(0\.\d*[1-9]|[1-9]\d*(\.\d*[1-9])?))$/);
      }),
    );
  });

  it('keeps the integer a number exactly while it is safe', () => {
    fc.assert(
      fc.property(decimalText, (text) => {
        const { unscaled } = parse(text);
        const safe = unscaled >= Number.MIN_SAFE_INTEGER && unscaled <= Number.MAX_SAFE_INTEGER;
        expect(typeof unscaled).toBe(safe ? 'number' : 'bigint');
        expect(Object.is(unscaled, -0)).toBe(false);
      }),
    );
  });

  it('adds and compares as rationals do', () => {
    fc.assert(
      fc.property(decimalText, decimalText, (a, b) => {
        expect(rational(parse(a).add(parse(b)).format())).toBe(rational(a) + rational(b));
        expect(sign(parse(a).compare(parse(b)))).toBe(sign(rational(a) - rational(b)));
        expect(sign(parse(a).compare(parse(a)))).toBe(0);
      }),
    );
  });

  it('divides to the nearest, ties to even', () => {
    const divisor = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 10 ** 9 }));
    fc.assert(
      fc.property(decimalText, divisor, fc.integer({ min: 0, max: 9 }), (text, n, digits) => {
        const quotient = rational(parse(text).divideHalfEven(n, digits).format());
        const step = 10n ** BigInt(UNIT - digits);
        // Twice the distance, in units of 10^-38 / n, against one step of the last digit.
        const distance = 2n * (rational(text) - quotient * BigInt(n));
        const size = distance < 0n ? -distance : distance;
        expect(size <= step * BigInt(n)).toBe(true);
        if (size === step * BigInt(n)) expect((quotient / step) % 2n).toBe(0n);
      }),
    );
  });
});

describe('the fast path', () => {
  it('takes what fits 2^53-1 and leaves the rest', () => {
    expect(scanDecimal('-12.50')).toBe(2);
    expect(scanned[0]).toBe(-1250);
    expect(scanDecimal('9007199254740991')).toBe(0);
    expect(scanDecimal('9007199254740992')).toBe(-1);
    expect(scanDecimal('-900719925474099.3')).toBe(-1);
    expect(scanDecimal('0.0000000000000000001')).toBe(-1);
  });

  it('raises only to safe integers', () => {
    expect(raiseSafe(9, 15)).toBe(9e15);
    expect(raiseSafe(10, 15)).toBeNaN();
    expect(raiseSafe(1, 16)).toBeNaN();
    expect(raiseSafe(0, 400)).toBe(0);
  });

  it('says NaN where safe integers cannot compare', () => {
    expect(compareSafe(15, 1, 150, 2)).toBe(0);
    expect(compareSafe(15, 1, 149, 2)).toBeGreaterThan(0);
    expect(compareSafe(Number.MAX_SAFE_INTEGER, 0, 1, 2)).toBeNaN();
  });
});
