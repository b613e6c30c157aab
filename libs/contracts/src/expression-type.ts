// What an expression of a check comes to, told before any row is read: unknown columns and comparisons that mean nothing
// are refused with the pipeline file.
import { dateDay } from './run-date.js';
import { ExpressionError, type Expression } from './expression.js';
import type { ColumnType } from './pipeline.js';

/** `timestamp`: a moment; `date`: a calendar day (`run_date`, `run_date - 1`). */
export type ValueType = 'number' | 'text' | 'boolean' | 'timestamp' | 'date' | 'null';

/** `row`: columns stand for a row's cells; `aggregate`: only within functions. */
export type ExpressionContext = 'row' | 'aggregate';

const TYPES: Record<ColumnType, ValueType> = {
  string: 'text',
  integer: 'number',
  decimal: 'number',
  timestamp: 'timestamp',
  boolean: 'boolean',
};

/** True where at least one function of the file's rows occurs. */
export function hasCalls(expression: Expression): boolean {
  if (expression.kind === 'call') return true;
  return partsOf(expression).some(hasCalls);
}

/** The expressions that it is made of directly. */
export function partsOf(expression: Expression): readonly Expression[] {
  if ('of' in expression) return [expression.of];
  return 'left' in expression ? [expression.left, expression.right] : [];
}

/** The type of the expression's value. Throws {@link ExpressionError} with what is wrong. */
export function typeOf(
  expression: Expression,
  columns: ReadonlyMap<string, ColumnType>,
  context: ExpressionContext,
): ValueType {
  const inner = (part: Expression) => typeOf(part, columns, context);
  switch (expression.kind) {
    case 'number':
    case 'text':
    case 'boolean':
    case 'null':
      return expression.kind;
    case 'run_date':
      return 'date';
    case 'column':
      if (context === 'row') return columnType(expression.name, columns);
      columnType(expression.name, columns);
      throw new ExpressionError(
        `names the column "${expression.name}" outside a function: write avg(...), count(...) of it`,
      );
    case 'call':
      return typeOfCall(expression, columns, context);
    case 'negate':
      return need(inner(expression.of), 'number', '-');
    case 'is_null':
      inner(expression.of);
      return 'boolean';
    case 'not':
      return need(inner(expression.of), 'boolean', 'not');
    case 'and':
    case 'or':
      need(inner(expression.left), 'boolean', expression.kind);
      return need(inner(expression.right), 'boolean', expression.kind);
    case 'arithmetic':
      return typeOfArithmetic(expression.op, inner(expression.left), inner(expression.right));
    case 'compare':
      checkComparison(expression, inner(expression.left), inner(expression.right));
      return 'boolean';
  }
}

function columnType(name: string, columns: ReadonlyMap<string, ColumnType>): ValueType {
  const type = columns.get(name);
  if (type === undefined)
    throw new ExpressionError(`knows no column "${name}"; there are ${[...columns.keys()].join(', ')}`);
  return TYPES[type];
}

function typeOfCall(
  call: Extract<Expression, { kind: 'call' }>,
  columns: ReadonlyMap<string, ColumnType>,
  context: ExpressionContext,
): ValueType {
  if (context === 'row') throw new ExpressionError(`may not use ${call.name}(): it looks at one row at a time`);
  if (call.column === null) return 'number';
  const type = columnType(call.column, columns);
  if (call.name === 'min' || call.name === 'max') return type;
  if (['sum', 'avg', 'stddev'].includes(call.name) && type !== 'number') {
    throw new ExpressionError(`${call.name} needs an integer or decimal column, "${call.column}" is ${type}`);
  }
  return 'number';
}

function need(found: ValueType, wanted: ValueType, where: string): ValueType {
  if (found !== wanted && found !== 'null')
    throw new ExpressionError(`"${where}" needs a ${wanted}, here is a ${found}`);
  return wanted;
}

function typeOfArithmetic(op: string, left: ValueType, right: ValueType): ValueType {
  if (left === 'date' && (op === '+' || op === '-')) {
    need(right, 'number', op);
    return 'date';
  }
  need(left, 'number', op);
  return need(right, 'number', op);
}

function checkComparison(compare: Extract<Expression, { kind: 'compare' }>, left: ValueType, right: ValueType): void {
  if (left === 'null' || right === 'null' || left === right) return;
  const moments: ReadonlySet<ValueType> = new Set(['timestamp', 'date']);
  if (moments.has(left) && moments.has(right)) return;
  const literal = [compare.left, compare.right].find((part) => part.kind === 'text');
  const other = literal === compare.left ? right : left;
  if (literal && moments.has(other)) {
    if (isMoment(literal.text)) return;
    throw new ExpressionError(
      `'${literal.text}' is no ISO 8601 date or date-time, as '2024-01-31' or '2024-01-31T09:00:00Z'`,
    );
  }
  throw new ExpressionError(`compares a ${left} with a ${right}`);
}

function isMoment(text: string): boolean {
  return dateDay(text) !== null || momentMs(text) !== null;
}

const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

/** Epoch ms of an ISO 8601 date-time with a zone; null for another text. */
export function momentMs(text: string): number | null {
  const ms = MOMENT.test(text) && dateDay(text.slice(0, 10)) !== null ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
