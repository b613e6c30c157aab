// Expressions against a naive oracle: three-valued logic by its truth tables, numbers by fractions of small integers.
import fc from 'fast-check';
import { formatExpression, parseExpression, type Comparison, type Expression } from '#contracts';
import { compile, DivisionByZero } from './evaluate.js';
import { Rational } from './rational.js';
import { Slice } from './slice.js';
import type { Value } from './value.js';

const numRuns = Number(process.env.CAUDAL_CASES ?? 300);
const leaves = (values: Record<string, Value>) => ({
  runDay: 0,
  column: (name: string) => () => values[name]!,
  call: () => () => null,
});

/** a, b, c: true, false or null. */
type Truth = boolean | null;
const NAMES = ['a', 'b', 'c'] as const;
const { logic } = fc.letrec<{ logic: Expression }>((tie) => ({
  logic: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(...NAMES).map((name): Expression => ({ kind: 'column', name })),
    fc.record({ kind: fc.constantFrom('not' as const, 'is_null' as const), of: tie('logic') }),
    fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), left: tie('logic'), right: tie('logic') }),
  ),
}));

/** NULL is a half: AND is the smaller, OR the larger, NOT what is left to 1. */
function oracle(expression: Expression, values: Record<string, Truth>): number {
  switch (expression.kind) {
    case 'column': {
      const value = values[expression.name];
      return value === null ? 0.5 : Number(value);
    }
    case 'not':
      return 1 - oracle(expression.of, values);
    case 'is_null':
      return oracle(expression.of, values) === 0.5 ? 1 : 0;
    case 'and':
      return Math.min(oracle(expression.left, values), oracle(expression.right, values));
    case 'or':
      return Math.max(oracle(expression.left, values), oracle(expression.right, values));
    default:
      throw new Error('not a case of this oracle');
  }
}

describe('compile', () => {
  it('has the logic of SQL', () => {
    const truth = fc.constantFrom(true, false, null);
    fc.assert(
      fc.property(logic, fc.record({ a: truth, b: truth, c: truth }), (expression, values) => {
        const found = compile(parseExpression(formatExpression(expression)), leaves(values))();
        expect(found === null ? 0.5 : Number(found)).toBe(oracle(expression, values));
      }),
      { numRuns },
    );
  });

  it('reckons exactly, NULL in, NULL out', () => {
    const number = fc.option(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: 1, max: 9 })), {
      nil: null,
      freq: 9,
    });
    const ops = fc.constantFrom('+', '-', '*', '/');
    fc.assert(
      fc.property(number, number, number, ops, ops, (x, y, z, first, second) => {
        const values = Object.fromEntries(
          [x, y, z].map((one, i) => [NAMES[i], one && Rational.of(BigInt(one[0]), BigInt(one[1]))]),
        );
        const run = compile(parseExpression(`(a ${first} b) ${second} c`), leaves(values));
        const apply = (op: string, p: number[] | null, q: number[] | null): number[] | null => {
          if (!p || !q) return null;
          const [[a, b], [c, d]] = [p as [number, number], q as [number, number]];
          if (op === '*') return [a * c, b * d];
          if (op !== '/') return [a * d + (op === '+' ? 1 : -1) * c * b, b * d];
          if (c === 0) throw new Error('zero');
          return [a * d, b * c];
        };
        let expected: number[] | null;
        try {
          expected = apply(second, apply(first, x, y), z);
        } catch {
          expect(run).toThrow(DivisionByZero);
          return;
        }
        const found = run() as Rational | null;
        expect(found?.write() ?? null).toBe(
          expected && Rational.of(BigInt(expected[0]!), BigInt(expected[1]!)).write(),
        );
      }),
      { numRuns },
    );
  });

  const row = (where: string, cells: (string | number | boolean | null)[], timeZone = 'UTC') => {
    const columns = [
      { name: 'nome', type: 'string', timeZone },
      { name: 'valor', type: 'decimal', timeZone },
      { name: 'dia', type: 'timestamp', timeZone },
      { name: 'ativo', type: 'boolean', timeZone },
    ] as const;
    // 2024-03-01 is run_date.
    const slice = new Slice(where, columns, Date.UTC(2024, 2, 1) / 86_400_000);
    slice.add(cells);
    return slice.rows === 1;
  };
  const leapDay = ['Ana', '0.30', '2024-02-29T23:59:59.999Z', true];

  it.each([
    ["nome = 'Ana'", true],
    ["nome <> 'Ana'", false],
    ["nome > 'A'", true],
    ['valor = 0.3', true],
    ['valor = 0.1 + 0.2', true],
    ['ativo and not (valor < 0)', true],
    ['ativo = true', true],
    ['dia = run_date - 1', true],
    ['dia < run_date', true],
    ['dia >= run_date', false],
    ["dia = '2024-02-29'", true],
    ["'2024-02-29' = dia", true],
    ["dia = '2024-02-29T23:59:59.999Z'", true],
    ["dia > '2024-02-29T23:59:59Z'", true],
    ["run_date = '2024-03-01'", true],
    ['run_date - 1 < run_date + 0', true],
  ])('%s is %s', (where, expected) => {
    expect(row(where, leapDay)).toBe(expected);
  });

  it('tells the day of a timestamp in the zone of its column', () => {
    const cells = ['Ana', '1', '2024-03-01T02:30:00.000Z', true];
    expect(row('dia = run_date', cells)).toBe(true);
    expect(row('dia = run_date - 1', cells, 'America/Sao_Paulo')).toBe(true);
  });

  it('takes no row for which the filter is NULL', () => {
    const nulls = [null, null, null, null];
    const comparisons: Comparison[] = ['=', '!=', '<', '<=', '>', '>='];
    for (const op of comparisons) expect(row(`valor ${op} 1`, nulls)).toBe(false);
    expect(row('not (valor = 1)', nulls)).toBe(false);
    expect(row('valor is null and nome is null', nulls)).toBe(true);
    expect(row('valor = 1 or dia is null', nulls)).toBe(true);
  });
});
