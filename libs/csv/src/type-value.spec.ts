// Cells of each type: the canonical value, or the code with which they are refused.
import type { Column, ColumnType } from '#contracts';
import fc from 'fast-check';
import { canonicalBound, compareNumbers, type NumberStyle } from './plain-number.js';
import { pipelineOf } from './testing.js';
import { isValueFault, valueReader } from './type-value.js';

const column = (type: ColumnType, changes: Partial<Column> = {}): Column => ({
  ...pipelineOf({ v: `{ type: ${type} }` }).columns[1]!,
  ...changes,
});
const POINT: NumberStyle = { decimalMark: '.', thousands: false };
const readAs = (type: ColumnType, text: string, changes: Partial<Column> = {}, numbers = POINT, nulls = ['']) => {
  const value = valueReader(column(type, changes), numbers, nulls)(text);
  return isValueFault(value) ? value.code : value;
};
const zeros = '0'.repeat(50_000);

describe('valueReader', () => {
  it.each<[string, unknown]>([
    ['0', 0],
    ['7', 7],
    ['-7', -7],
    ['+7', 7],
    ['007', 7],
    ['-0', 0],
    ['+0', 0],
    [' 12\t', 12],
    ['', null],
    ['  ', null],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['9007199254740992', '9007199254740992'],
    ['00009007199254740993', '9007199254740993'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['9223372036854775808', 'range'],
    ['-9223372036854775809', 'range'],
    [`${zeros}1`, 1],
    [`1${zeros}`, 'range'],
    ['1.0', 'type'],
    ['1e3', 'type'],
    ['0x10', 'type'],
    ['1 000', 'type'],
    ['1,000', 'type'],
    ['--1', 'type'],
    ['+', 'type'],
    ['１', 'type'],
    ['NaN', 'type'],
    [`${zeros}x`, 'type'],
    ['\u00a01', 'type'],
  ])('integer %.40j', (text, expected) => {
    expect(readAs('integer', text)).toBe(expected);
  });

  it.each<[string, unknown]>([
    ['50000', '50000'],
    ['65000.00', '65000'],
    ['0.30', '0.3'],
    ['10.1', '10.1'],
    ['-12.50', '-12.5'],
    ['+1', '1'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['-.5', '-0.5'],
    ['007.70', '7.7'],
    ['-0', '0'],
    ['-0.000', '0'],
    ['0', '0'],
    ['', null],
    [' 1.5 ', '1.5'],
    ['1e3', '1000'],
    ['1.5E+2', '150'],
    ['15e-1', '1.5'],
    ['-1.20e-2', '-0.012'],
    ['0e999', '0'],
    ['1e37', `1${'0'.repeat(37)}`],
    ['1e-38', `0.${'0'.repeat(37)}1`],
    ['9'.repeat(38), '9'.repeat(38)],
    ['9'.repeat(39), 'range'],
    [`0.${'1'.repeat(39)}`, 'range'],
    [`0.${'0'.repeat(37)}1`, `0.${'0'.repeat(37)}1`],
    [`0.${'0'.repeat(38)}1`, 'range'],
    [`1.${zeros}`, '1'],
    ['1e309', 'type'],
    ['1e38', 'type'],
    ['1e-39', 'type'],
    ['1e999999999999999999999', 'type'],
    [`1e${'9'.repeat(400)}`, 'type'],
    ['NaN', 'type'],
    ['Infinity', 'type'],
    ['-inf', 'type'],
    ['1,5', 'type'],
    ['1.000,50', 'type'],
    ['1,000.50', 'type'],
    ['1 000', 'type'],
    ['.', 'type'],
    ['-', 'type'],
    ['1.2.3', 'type'],
    ['1e', 'type'],
    ['e5', 'type'],
    ['R$ 5', 'type'],
    ['0x1F', 'type'],
    [`${zeros}x`, 'type'],
    [`1${zeros}x`, 'type'],
    [`${'1'.repeat(50_000)}x`, 'type'],
  ])('decimal %.40j', (text, expected) => {
    expect(readAs('decimal', text)).toBe(expected);
  });

  it.each<[ColumnType, string, unknown]>([
    ['string', '', null],
    ['string', '  ', '  '],
    ['string', ' a ', ' a '],
    ['string', 'null', 'null'],
    ['boolean', 'true', true],
    ['boolean', ' FALSE ', false],
    ['boolean', 'True', true],
    ['boolean', 't', 'type'],
    ['boolean', '1', 'type'],
    ['boolean', 'yes', 'type'],
    ['boolean', '', null],
    ['timestamp', ' 2023-01-10 ', '2023-01-10T00:00:00.000Z'],
    ['timestamp', '2023-02-30', 'type'],
    ['timestamp', ' ', null],
  ])('%s %j', (type, text, expected) => {
    expect(readAs(type, text)).toBe(expected);
  });

  const COMMA: NumberStyle = { decimalMark: ',', thousands: true };
  const DECLARED_POINT: NumberStyle = { decimalMark: '.', thousands: true };
  it.each<[ColumnType, NumberStyle, string, unknown]>([
    ['decimal', COMMA, '1000,00', '1000'],
    ['decimal', COMMA, '1.234.567,89', '1234567.89'],
    ['decimal', COMMA, '-1.234', '-1234'],
    ['decimal', COMMA, ',5', '0.5'],
    ['decimal', COMMA, '1,5e3', '1500'],
    ['decimal', COMMA, '7', '7'],
    ['decimal', COMMA, '1.5', 'type'],
    ['decimal', COMMA, '1.23,4', 'type'],
    ['decimal', COMMA, '1234.567,8', 'type'],
    ['decimal', COMMA, '.123,4', 'type'],
    ['decimal', COMMA, '1,2,3', 'type'],
    ['decimal', COMMA, '1,234.5', 'type'],
    ['decimal', COMMA, `${'9'.repeat(38)},0`, '9'.repeat(38)],
    ['decimal', COMMA, `${'9'.repeat(38)},1`, 'range'],
    ['integer', COMMA, '1.234', 1234],
    ['integer', COMMA, '9.223.372.036.854.775.807', '9223372036854775807'],
    ['integer', COMMA, '1,0', 'type'],
    ['decimal', DECLARED_POINT, '1,234.5', '1234.5'],
    ['decimal', DECLARED_POINT, '1,234', '1234'],
    ['decimal', DECLARED_POINT, '1,23', 'type'],
    ['decimal', POINT, '1,234', 'type'],
    ['decimal', POINT, '1,5', 'type'],
  ])('%s with marks %j: %s', (type, numbers, text, expected) => {
    expect(readAs(type, text, {}, numbers)).toBe(expected);
  });

  it('reads the spellings of true, false and null that are declared, booleans without case', () => {
    const changes = { trueValues: ['S', 'sim'], falseValues: ['N', 'Não'] };
    const texts = ['s', 'SIM', 'n', 'NÃO', 'true', '-', ' - ', ''];
    expect(texts.map((text) => readAs('boolean', text, changes, POINT, ['-']))).toEqual([
      true,
      true,
      false,
      false,
      'type',
      null,
      null,
      null,
    ]);
    expect(['NULL', 'null', ' NULL', '\\N'].map((text) => readAs('string', text, {}, POINT, ['NULL', '\\N']))).toEqual([
      null,
      'null',
      ' NULL',
      null,
    ]);
  });

  it('gives moments of any form in one form', () => {
    const changes = { format: "dd/MM/yyyy'T'HH:mm:ss'Z'" };
    expect(readAs('timestamp', '10/01/2023T09:00:00Z', changes)).toBe('2023-01-10T09:00:00.000Z');
    expect(readAs('timestamp', '2023-01-10', changes)).toBe('type');
  });

  it('writes every decimal in one form, whatever form it came in', () => {
    const number = fc.tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(8), fc.nat(5), fc.nat(3));
    fc.assert(
      fc.property(number, ([value, scale, leading, trailing]) => {
        const sign = value < 0n ? '-' : '';
        const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
        const fraction = scale === 0 ? '' : digits.slice(-scale);
        const whole = digits.slice(0, digits.length - scale);
        const plain = `${sign}${'0'.repeat(leading)}${whole}.${fraction}${'0'.repeat(trailing)}`;
        const exponent = `${value}e-${scale}`;
        const canonical = readAs('decimal', plain) as string;
        expect(readAs('decimal', exponent)).toBe(canonical);
        expect(readAs('decimal', canonical)).toBe(canonical);
        expect(canonical).toMatch(/^(0|-?(0|[1-9]\d*)(\.\d*[1-9])?)$/);
        expect(canonical).not.toBe('-0');
        // Exact: the same scaled integer comes back.
        const [w, f = ''] = canonical.replace('-', '').split('.');
        expect(BigInt(sign + w! + f.padEnd(scale, '0'))).toBe(value);
      }),
    );
  });
});

describe('compareNumbers', () => {
  it('is the exact order of scaled integers', () => {
    const number = fc.tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.constantFrom(0, 1, 3, 6));
    const near = fc.tuple(fc.bigInt({ min: -20n, max: 20n }), fc.constantFrom(0, 1, 2));
    const textOf = ([value, scale]: [bigint, number]) => readAs('decimal', `${value}e-${scale}`) as string;
    const scaled = ([value, scale]: [bigint, number]) => value * 10n ** BigInt(6 - scale);
    fc.assert(
      fc.property(fc.oneof(number, near), fc.oneof(number, near), (a, b) => {
        const order = scaled(a) < scaled(b) ? -1 : scaled(a) > scaled(b) ? 1 : 0;
        expect(Math.sign(compareNumbers(textOf(a), textOf(b)))).toBe(order);
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes bounds of more digits than a cell may have', () => {
    expect(canonicalBound(`${'9'.repeat(38)}.${'1'.repeat(38)}`)).toBe(`${'9'.repeat(38)}.${'1'.repeat(38)}`);
    expect(canonicalBound('-012.50')).toBe('-12.5');
  });
});
