import fc from 'fast-check';
import { ExpressionError, formatExpression, parseExpression, type Expression } from './expression.js';
import { typeOf } from './expression-type.js';
import type { ColumnType } from './pipeline.js';

const numRuns = Number(process.env.CAUDAL_CASES ?? 200);

const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc
    .tuple(fc.nat(), fc.constantFrom('', '.0', '.25'))
    .map(([n, f]): Expression => ({ kind: 'number', text: `${n}${f}` })),
  fc.string().map((text): Expression => ({ kind: 'text', text })),
  fc.boolean().map((value): Expression => ({ kind: 'boolean', value })),
  fc.constantFrom<Expression>({ kind: 'null' }, { kind: 'run_date' }, { kind: 'call', name: 'count', column: null }),
  fc
    .oneof(fc.constantFrom('valor', 'and', 'run_date', 'a b', 'x"y', 'ação'), fc.string())
    .map((name): Expression => ({ kind: 'column', name })),
  fc.constantFrom<Expression>(
    { kind: 'call', name: 'avg', column: 'capital social' },
    { kind: 'call', name: 'max', column: 'or' },
  ),
);
const { tree } = fc.letrec<{ tree: Expression }>((tie) => {
  const both = { left: tie('tree'), right: tie('tree') };
  return {
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({ kind: fc.constantFrom('negate' as const, 'not' as const, 'is_null' as const), of: tie('tree') }),
      fc.record({
        kind: fc.constant('arithmetic' as const),
        op: fc.constantFrom(...(['+', '-', '*', '/'] as const)),
        ...both,
      }),
      fc.record({
        kind: fc.constant('compare' as const),
        op: fc.constantFrom(...(['=', '!=', '<', '<=', '>', '>='] as const)),
        ...both,
      }),
      fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), ...both }),
    ),
  };
});

describe('parseExpression', () => {
  it('reads what formatExpression writes', () => {
    fc.assert(
      fc.property(tree, (expression) => {
        const text = formatExpression(expression);
        fc.pre(text.length <= 2_000);
        expect(parseExpression(text)).toEqual(expression);
      }),
      { numRuns },
    );
  });

  it('never throws anything but its own error', () => {
    const scraps = fc.array(
      fc.constantFrom('(', ')', 'count', 'and', 'not', '-', '1.5', "'a'", '"b"', '<', '=', 'is', 'null', ' ', '$', '.'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          scraps.map((parts) => parts.join(' ')),
        ),
        (text) => {
          try {
            parseExpression(text);
          } catch (error) {
            expect(error).toBeInstanceOf(ExpressionError);
          }
        },
      ),
      { numRuns },
    );
  });

  it.each([
    ['1 + 2 * 3', '(1 + (2 * 3))'],
    ['1 - 2 - 3', '((1 - 2) - 3)'],
    ['-2 * 3', '((- 2) * 3)'],
    ['not a = 1 and b < 2 or c > 3', '(((not (a = 1)) and (b < 2)) or (c > 3))'],
    ['COUNT(*) == 1 AND Null_Fraction(x) <> .5', '((count() = 1) and (null_fraction(x) != 0.5))'],
    ['x is not null', '(not (x is null))'],
    ["nome = 'd''Oeste' and \"valor total\" >= 1", "((nome = 'd''Oeste') and (\"valor total\" >= 1))"],
    ['data = run_date - 1', '(data = (run_date - 1))'],
    ['1e3 + 2.5E-2 - .25e+1', '((1000 + 0.025) - 2.5)'],
    ['1e30', '1000000000000000000000000000000'],
  ])('reads %s as %s', (text, canonical) => {
    expect(formatExpression(parseExpression(text))).toBe(canonical);
  });

  it.each([
    ['count() >', 'at character 10, found the end'],
    ['1 2', 'expected an operator or the end at character 3, found "2"'],
    ['media(x)', 'knows no function "media"; functions are count'],
    ['avg()', 'avg needs a column'],
    ['avg(a b)', 'expected one column and ")" for avg'],
    ['process.exit()', 'cannot be read at character 8'],
    ["x = 'open", 'cannot be read at character 5'],
    ['(1', 'expected ")"'],
    ['', 'found the end'],
    [`${'('.repeat(200)}1`, 'nested deeper'],
    [`${'-'.repeat(1_999)}1`, 'nested deeper'],
    ['1'.repeat(2_001), 'is longer'],
    ['1e999', 'found "e999"'],
  ])('refuses %s', (text, message) => {
    expect(() => parseExpression(text)).toThrow(message);
  });
});

describe('typeOf', () => {
  const columns = new Map<string, ColumnType>([
    ['nome', 'string'],
    ['valor', 'decimal'],
    ['dia', 'timestamp'],
    ['ativo', 'boolean'],
  ]);

  it.each([
    ['row', 'valor * 2 - 1', 'number'],
    ['row', "dia = run_date - 1 and nome != 'x' or not ativo", 'boolean'],
    ['row', "dia >= '2024-02-29' and dia < '2024-03-01T00:00:00Z'", 'boolean'],
    ['row', 'valor is null', 'boolean'],
    ['aggregate', 'sum(valor) / count()', 'number'],
    ['aggregate', 'max(dia)', 'timestamp'],
    ['aggregate', 'count_distinct(nome)', 'number'],
  ] as const)('%s: %s is a %s', (context, text, type) => {
    expect(typeOf(parseExpression(text), columns, context)).toBe(type);
  });

  it.each([
    ['row', 'cidade = 1', 'knows no column "cidade"; there are nome, valor, dia, ativo'],
    ['row', 'nome = 1', 'compares a text with a number'],
    ['row', "dia = 'ontem'", 'is no ISO 8601 date'],
    ['row', "dia = '2023-02-29'", 'is no ISO 8601 date'],
    ['row', 'count() > 1', 'may not use count()'],
    ['row', 'valor and ativo', '"and" needs a boolean, here is a number'],
    ['row', 'dia - 1', '"-" needs a number'],
    ['aggregate', 'valor > 1', 'outside a function'],
    ['aggregate', 'avg(nome)', 'avg needs an integer or decimal column, "nome" is text'],
  ] as const)('%s: refuses %s', (context, text, message) => {
    expect(() => typeOf(parseExpression(text), columns, context)).toThrow(message);
  });
});
