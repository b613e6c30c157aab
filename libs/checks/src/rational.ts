// The numbers of expressions: exact fractions of BigInts, so that sums, averages and comparisons of decimals are what
// they are on paper. A few are made per check; rows are added up elsewhere (exact-sum, moments).

/** An immutable fraction in lowest terms; `denominator` 0: not a number. */
export class Rational {
  static readonly ZERO = new Rational(0n, 1n);
  static readonly NAN = new Rational(0n, 0n);

  private constructor(
    readonly numerator: bigint,
    readonly denominator: bigint,
  ) {}

  static of(numerator: bigint, denominator = 1n): Rational {
    if (denominator === 0n) return Rational.NAN;
    const divisor = greatestDivisor(numerator, denominator);
    const sign = denominator < 0n ? -1n : 1n;
    return new Rational((sign * numerator) / divisor, (sign * denominator) / divisor);
  }

  /** Of plain decimal text (digits, optional sign and fraction). */
  static parse(text: string): Rational {
    const point = text.indexOf('.');
    if (point === -1) return Rational.of(BigInt(text));
    const fraction = text.slice(point + 1);
    return Rational.of(BigInt(text.slice(0, point) + fraction), 10n ** BigInt(fraction.length));
  }

  /** The shortest decimal that names the double: 0.1 is one tenth. */
  static ofNumber(value: number): Rational {
    if (!Number.isFinite(value)) return Rational.NAN;
    const match = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value))!;
    const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
    const places = fraction.length - Number(exponent);
    const digits = BigInt(sign + whole + fraction);
    return places >= 0 ? Rational.of(digits, 10n ** BigInt(places)) : Rational.of(digits * 10n ** BigInt(-places));
  }

  get isNaN(): boolean {
    return this.denominator === 0n;
  }

  get isZero(): boolean {
    return this.numerator === 0n && !this.isNaN;
  }

  /** -1, 0 or 1. */
  get sign(): number {
    return this.numerator > 0n ? 1 : this.numerator < 0n ? -1 : 0;
  }

  plus(other: Rational): Rational {
    const numerator = this.numerator * other.denominator + other.numerator * this.denominator;
    return Rational.of(numerator, this.denominator * other.denominator);
  }

  minus(other: Rational): Rational {
    return this.plus(other.negated());
  }

  times(other: Rational): Rational {
    return Rational.of(this.numerator * other.numerator, this.denominator * other.denominator);
  }

  /** NaN when `other` is zero. */
  over(other: Rational): Rational {
    return Rational.of(this.numerator * other.denominator, this.denominator * other.numerator);
  }

  negated(): Rational {
    return new Rational(-this.numerator, this.denominator);
  }

  abs(): Rational {
    return this.numerator < 0n ? this.negated() : this;
  }

  /** Below, equal to or above zero; NaN when one of the two is not a number. */
  compare(other: Rational): number {
    if (this.isNaN || other.isNaN) return Number.NaN;
    const left = this.numerator * other.denominator;
    const right = other.numerator * this.denominator;
    return left < right ? -1 : left > right ? 1 : 0;
  }

  /** The double, by the digits of {@link format}'s longer form. */
  toNumber(): number {
    return this.isNaN ? Number.NaN : Number(this.digits(30));
  }

  /** Plain decimal text of at most 6 fractional digits, 12 below one thousandth; what is longer is cut off. */
  format(): string {
    if (this.isNaN) return 'NaN';
    const small = this.numerator !== 0n && this.abs().compare(Rational.of(1n, 1_000n)) < 0;
    return this.digits(small ? 12 : 6);
  }

  private digits(places: number): string {
    const { numerator, denominator } = this.abs();
    const scaled = String((numerator * 10n ** BigInt(places)) / denominator).padStart(places + 1, '0');
    const fraction = scaled.slice(-places).replace(/0+$/, '');
    const text = scaled.slice(0, -places) + (fraction === '' ? '' : `.${fraction}`);
    return this.numerator < 0n && text !== '0' ? `-${text}` : text;
  }

  /** `n/d`, which {@link read} reads. */
  write(): string {
    return `${this.numerator}/${this.denominator}`;
  }

  static read(text: string): Rational {
    const [numerator, denominator] = text.split('/');
    return Rational.of(BigInt(numerator!), BigInt(denominator!));
  }
}

function greatestDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}
