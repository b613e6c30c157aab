// What each function of an expression keeps while rows pass, and the value that it comes to.
import type { Cell, FunctionName } from '#contracts';
import { DistinctCount } from './distinct.js';
import { ExactSum } from './exact-sum.js';
import { Extremes } from './extremes.js';
import { Moments } from './moments.js';
import { Rational } from './rational.js';
import type { TableColumn } from './table-column.js';
import { cellReader } from './table-column.js';
import type { Value } from './value.js';

export interface Accumulator {
  /** Of the function's column; never called for `count()`. */
  add(cell: Cell): void;
  /** `rows`: how many were added. NULL of no values, as in SQL. */
  value(rows: number): Value;
  /** False where the value is an estimate. */
  readonly exact?: boolean;
}

const SETTLE_ROWS = 1_024;

export function accumulatorFor(name: FunctionName, column: TableColumn): Accumulator {
  switch (name) {
    case 'count':
      return new Counting((values) => Rational.of(BigInt(values)));
    case 'null_fraction':
      return new Counting((values, rows) => (rows === 0 ? null : Rational.of(BigInt(rows - values), BigInt(rows))));
    case 'count_distinct':
      return new CountDistinct();
    case 'sum':
      return new Summing((sum) => sum);
    case 'avg':
      return new Summing((sum, values) => sum.over(Rational.of(BigInt(values))));
    case 'stddev':
      return new Stddev();
    case 'min':
    case 'max':
      return new Extreme(name, column);
  }
}

class Counting implements Accumulator {
  private values = 0;

  constructor(private readonly result: (values: number, rows: number) => Value) {}

  add(cell: Cell): void {
    if (cell !== null) this.values++;
  }

  value(rows: number): Value {
    return this.result(this.values, rows);
  }
}

class CountDistinct implements Accumulator {
  private readonly distinct = new DistinctCount();

  add(cell: Cell): void {
    if (cell !== null) this.distinct.add(typeof cell === 'string' ? cell : String(cell));
  }

  value(): Value {
    return Rational.of(BigInt(this.distinct.value));
  }

  get exact(): boolean {
    return this.distinct.exact;
  }
}

class Summing implements Accumulator {
  private readonly sum = new ExactSum();
  private values = 0;

  constructor(private readonly result: (sum: Rational, values: number) => Rational) {}

  add(cell: Cell): void {
    if (cell === null) return;
    this.values++;
    this.sum.add(cell as number | string);
  }

  value(): Value {
    return this.values === 0 ? null : this.result(this.sum.value, this.values);
  }
}

class Stddev implements Accumulator {
  private readonly moments = new Moments();

  add(cell: Cell): void {
    if (cell !== null) this.moments.add(Number(cell));
  }

  value(): Value {
    const { stddev } = this.moments;
    return stddev === null ? null : Rational.ofNumber(stddev);
  }
}

class Extreme implements Accumulator {
  private readonly extremes = new Extremes();
  private readonly numeric: boolean;
  private readonly read: (cell: Cell) => Value;
  private values = 0;

  constructor(
    private readonly which: 'min' | 'max',
    column: TableColumn,
  ) {
    this.numeric = column.type === 'integer' || column.type === 'decimal';
    this.read = cellReader(column);
  }

  add(cell: Cell): void {
    if (cell === null) return;
    const text = typeof cell === 'string' ? cell : String(cell);
    if (this.numeric) this.extremes.addNumber(text, Number(cell));
    else this.extremes.addText(text);
    if (++this.values % SETTLE_ROWS === 0) this.extremes.settle();
  }

  value(): Value {
    return this.read(this.extremes[this.which]);
  }
}
