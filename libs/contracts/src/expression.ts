// The expressions of checks: text -> syntax tree, by a grammar of ours. Nothing is ever evaluated as code; what a tree
// comes to is libs/checks' affair.
//
//   expression = and { "or" and }            and     = not { "and" not }
//   not        = "not" not | comparison      comparison = sum [ ( = | == | != | <> | < | <= | > | >= ) sum | "is" ["not"] "null" ]
//   sum        = product { (+|-) product }   product = sign { (*|/) sign }        sign = "-" sign | primary
//   primary    = number | 'text' | true | false | null | run_date | name | "name" | function ( [ name | * ] ) | ( expression )

export const FUNCTION_NAMES = [
  'count',
  'count_distinct',
  'null_fraction',
  'sum',
  'avg',
  'min',
  'max',
  'stddev',
] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];
export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';
export type Arithmetic = '+' | '-' | '*' | '/';

export type Expression =
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
  | { readonly kind: 'run_date' }
  | { readonly kind: 'column'; readonly name: string }
  /** `column` null: `count()`, of rows. */
  | { readonly kind: 'call'; readonly name: FunctionName; readonly column: string | null }
  | { readonly kind: 'negate' | 'not' | 'is_null'; readonly of: Expression }
  | { readonly kind: 'arithmetic'; readonly op: Arithmetic; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'compare'; readonly op: Comparison; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression };

export class ExpressionError extends Error {
  readonly code = 'bad_expression';
  readonly retriable = false;
}

const TOKEN =
  /\s*(?:((?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,2}(?!\d))?)|('(?:[^']|'')*')|("(?:[^"]|"")*")|([\p{L}_][\p{L}\p{N}_]*)|(==|!=|<>|<=|>=|[-+*/()<>=]))/uy;
const COMPARISONS: Record<string, Comparison> = {
  '=': '=', '==': '=', '!=': '!=', '<>': '!=', '<': '<', '<=': '<=', '>': '>', '>=': '>=',
}; // prettier-ignore
const WORDS: ReadonlySet<string> = new Set(['and', 'or', 'not', 'is', 'null', 'true', 'false', 'run_date']);
const MAX_CHARACTERS = 2_000;
const MAX_DEPTH = 100;

interface Token {
  readonly type: 'number' | 'text' | 'quoted' | 'word' | 'symbol' | 'end';
  readonly text: string;
  /** Where it begins, 0-based. */
  readonly at: number;
}

/** Parses an expression. Throws {@link ExpressionError} that says where and what was expected. */
export function parseExpression(source: string): Expression {
  if (source.length > MAX_CHARACTERS) throw new ExpressionError(`is longer than ${MAX_CHARACTERS} characters`);
  return new Parser(tokenize(source)).parse();
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (source.slice(at).trim() !== '') {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    const begin = at + source.slice(at).search(/\S/);
    if (!match) throw new ExpressionError(`cannot be read at character ${begin + 1} ("${source[begin]}")`);
    const [, number, text, quoted, word, symbol] = match;
    if (number !== undefined) tokens.push({ type: 'number', text: number, at: begin });
    else if (text !== undefined)
      tokens.push({ type: 'text', text: text.slice(1, -1).replaceAll("''", "'"), at: begin });
    else if (quoted !== undefined)
      tokens.push({ type: 'quoted', text: quoted.slice(1, -1).replaceAll('""', '"'), at: begin });
    else if (word !== undefined) tokens.push({ type: 'word', text: word, at: begin });
    else tokens.push({ type: 'symbol', text: symbol!, at: begin });
    at = TOKEN.lastIndex;
  }
  tokens.push({ type: 'end', text: '', at: source.length });
  return tokens;
}

/** One method a line of the grammar. */
class Parser {
  private place = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  parse(): Expression {
    const expression = this.expression();
    if (this.next.type !== 'end') this.expected('an operator or the end');
    return expression;
  }

  private expression(): Expression {
    // Every nesting passes here or through `not` and `sign`: the stack cannot overflow.
    return this.nested(() => {
      let left = this.and();
      while (this.takeWord('or')) left = { kind: 'or', left, right: this.and() };
      return left;
    });
  }

  private and(): Expression {
    let left = this.not();
    while (this.takeWord('and')) left = { kind: 'and', left, right: this.not() };
    return left;
  }

  private not(): Expression {
    if (!this.takeWord('not')) return this.comparison();
    return this.nested(() => ({ kind: 'not', of: this.not() }));
  }

  private comparison(): Expression {
    const left = this.sum();
    const op = this.next.type === 'symbol' ? COMPARISONS[this.next.text] : undefined;
    if (op !== undefined) {
      this.place++;
      return { kind: 'compare', op, left, right: this.sum() };
    }
    if (!this.takeWord('is')) return left;
    const negated = this.takeWord('not');
    if (!this.takeWord('null')) this.expected('"null"');
    const test: Expression = { kind: 'is_null', of: left };
    return negated ? { kind: 'not', of: test } : test;
  }

  private sum(): Expression {
    let left = this.product();
    for (;;) {
      const op = this.takeSymbol('+') ?? this.takeSymbol('-');
      if (op === null) return left;
      left = { kind: 'arithmetic', op, left, right: this.product() };
    }
  }

  private product(): Expression {
    let left = this.sign();
    for (;;) {
      const op = this.takeSymbol('*') ?? this.takeSymbol('/');
      if (op === null) return left;
      left = { kind: 'arithmetic', op, left, right: this.sign() };
    }
  }

  private sign(): Expression {
    if (this.takeSymbol('-') === null) return this.primary();
    return this.nested(() => ({ kind: 'negate', of: this.sign() }));
  }

  private primary(): Expression {
    const token = this.next;
    this.place++;
    if (token.type === 'number') return { kind: 'number', text: plainText(token.text) };
    if (token.type === 'text') return { kind: 'text', text: token.text };
    if (token.type === 'quoted') return { kind: 'column', name: token.text };
    if (token.type === 'word') return this.word(token);
    if (token.text === '(') {
      const inner = this.expression();
      if (this.takeSymbol(')') === null) this.expected('")"');
      return inner;
    }
    this.place--;
    return this.expected('a number, a text in single quotes, a column, a function or "("');
  }

  private word(token: Token): Expression {
    if (this.takeSymbol('(') !== null) return this.call(token);
    const word = token.text.toLowerCase();
    if (word === 'true' || word === 'false') return { kind: 'boolean', value: word === 'true' };
    if (word === 'null') return { kind: 'null' };
    if (word === 'run_date') return { kind: 'run_date' };
    if (!WORDS.has(word)) return { kind: 'column', name: token.text };
    this.place--;
    return this.expected('a value');
  }

  private call(token: Token): Expression {
    const name = token.text.toLowerCase() as FunctionName;
    if (!FUNCTION_NAMES.includes(name)) {
      throw new ExpressionError(`knows no function "${token.text}"; functions are ${FUNCTION_NAMES.join(', ')}`);
    }
    const argument = this.next;
    let column: string | null = null;
    if (argument.type === 'word' || argument.type === 'quoted') column = argument.text;
    if (column !== null || (name === 'count' && argument.text === '*')) this.place++;
    if (this.takeSymbol(')') === null) this.expected(`one column and ")" for ${name}`);
    if (column === null && name !== 'count') throw new ExpressionError(`${name} needs a column, as in ${name}(column)`);
    return { kind: 'call', name, column };
  }

  private get next(): Token {
    return this.tokens[this.place]!;
  }

  private takeWord(word: string): boolean {
    if (this.next.type !== 'word' || this.next.text.toLowerCase() !== word) return false;
    this.place++;
    return true;
  }

  private takeSymbol<const S extends string>(symbol: S): S | null {
    if (this.next.type !== 'symbol' || this.next.text !== symbol) return null;
    this.place++;
    return symbol;
  }

  private nested<T>(parse: () => T): T {
    if (++this.depth > MAX_DEPTH) throw new ExpressionError(`is nested deeper than ${MAX_DEPTH} levels`);
    const parsed = parse();
    this.depth--;
    return parsed;
  }

  private expected(what: string): never {
    const { type, text, at } = this.next;
    const found = type === 'end' ? 'the end' : `"${text}"`;
    throw new ExpressionError(`expected ${what} at character ${at + 1}, found ${found}`);
  }
}

/** A number as it was written -> without exponent: 1e3 is 1000, .5 is 0.5. */
function plainText(written: string): string {
  const [mantissa = '', exponent = '0'] = written.split(/[eE]/);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  const left = digits.slice(0, Math.max(0, point)).padEnd(point, '0');
  const right = point < 0 ? '0'.repeat(-point) + digits : digits.slice(point);
  return (left || '0') + (right === '' ? '' : `.${right}`);
}

/** The canonical text: equal trees have equal texts, and parsing it gives the tree again. */
export function formatExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'number':
      return expression.text;
    case 'text':
      return `'${expression.text.replaceAll("'", "''")}'`;
    case 'boolean':
      return String(expression.value);
    case 'null':
    case 'run_date':
      return expression.kind;
    case 'column':
      return formatName(expression.name);
    case 'call':
      return `${expression.name}(${expression.column === null ? '' : formatName(expression.column)})`;
    case 'negate':
      return `(- ${formatExpression(expression.of)})`;
    case 'not':
      return `(not ${formatExpression(expression.of)})`;
    case 'is_null':
      return `(${formatExpression(expression.of)} is null)`;
    case 'arithmetic':
    case 'compare':
      return `(${formatExpression(expression.left)} ${expression.op} ${formatExpression(expression.right)})`;
    case 'and':
    case 'or':
      return `(${formatExpression(expression.left)} ${expression.kind} ${formatExpression(expression.right)})`;
  }
}

function formatName(name: string): string {
  const plain = /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) && !WORDS.has(name.toLowerCase());
  return plain ? name : `"${name.replaceAll('"', '""')}"`;
}
