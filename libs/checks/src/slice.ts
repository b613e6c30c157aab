// The rows that one `where` leaves: counted, and fed to whatever the checks with this filter need. Built before the first
// row, from all checks at once, so that one pass is enough.
import { parseExpression, type Cell, type DeadLetterCode, type Expression, type FunctionName } from '#contracts';
import { accumulatorFor, type Accumulator } from './accumulators.js';
import type { ColumnProfile } from './column-profile.js';
import { compile, DivisionByZero, type Leaves } from './evaluate.js';
import { Profile } from './profile.js';
import { Rational } from './rational.js';
import { countRejected, type RejectedJson } from './rejected.js';
import { cellReader, type TableColumn } from './table-column.js';
import type { Value } from './value.js';

/** How many rows a test held for, did not, and was NULL for. */
export interface Tally {
  yes: number;
  no: number;
  unknown: number;
  /** Why it could not be tried on a row (a division by zero); null: it could. */
  failure: string | null;
}

type RowTest = (cells: readonly Cell[]) => boolean | null;

export class Slice implements Leaves {
  rows = 0;
  /** Why rows could not be told apart (a division by zero in `where`); null: they could. */
  failure: string | null = null;
  private cells: readonly Cell[] = [];
  private readonly filter: (() => Value) | null;
  private readonly accumulators = new Map<string, Accumulator>();
  private readonly fed: [place: number, accumulator: Accumulator][] = [];
  private readonly tallies: [test: RowTest, tally: Tally][] = [];
  private readonly profiled = new Map<string, TableColumn>();
  private rejected: RejectedJson | null = null;
  private profile: { of: Profile; places: readonly number[]; all: boolean } | null = null;

  /** `where`: canonical text, empty for all rows. `runDay`: in days since 1970-01-01. */
  constructor(
    readonly where: string,
    private readonly columns: readonly TableColumn[],
    readonly runDay: number,
  ) {
    this.filter = where === '' ? null : compile(parseExpression(where), this.rowLeaves());
  }

  add(cells: readonly Cell[]): void {
    this.cells = cells;
    if (this.filter && !this.passes(this.filter)) return;
    this.rows++;
    for (const [place, accumulator] of this.fed) accumulator.add(cells[place]!);
    for (const [test, tally] of this.tallies) this.count(test, tally);
    if (this.profile) this.profile.of.add(this.profile.all ? cells : this.profile.places.map((place) => cells[place]!));
  }

  /** Asks for the rejected records that the filter takes, too. */
  keepRejected(): RejectedJson {
    return (this.rejected ??= {});
  }

  /** `cells`: what can be read of the record; null: nothing, and no filter takes it. */
  addRejected(column: string | null, code: DeadLetterCode, cells: (() => readonly Cell[]) | null): void {
    if (this.rejected === null || cells === null) return;
    this.cells = cells();
    if (this.filter && !this.passes(this.filter)) return;
    countRejected(this.rejected, column, code);
  }

  /** Asks for profiles of these columns. Before the first row, as all that follow. */
  keepProfile(columns: readonly TableColumn[]): void {
    for (const column of columns) this.profiled.set(column.name, column);
    const wanted = [...this.profiled.values()];
    const places = wanted.map((column) => this.placeOf(column.name));
    const all = places.length === this.columns.length && places.every((place, i) => place === i);
    this.profile = { of: new Profile(wanted), places, all };
  }

  get profiles(): ReadonlyMap<string, ColumnProfile> {
    return this.profile?.of.columns ?? new Map();
  }

  /** The value of an expression over aggregates, when all rows have been added. May throw {@link DivisionByZero}. */
  metric(expression: Expression): () => Value {
    return compile(expression, this);
  }

  /** Counts rows by a test of their cells. */
  tally(test: RowTest): Tally {
    const tally: Tally = { yes: 0, no: 0, unknown: 0, failure: null };
    this.tallies.push([test, tally]);
    return tally;
  }

  /** Counts rows by a statement over their columns. */
  statement(expression: Expression): Tally {
    const holds = compile(expression, this.rowLeaves());
    return this.tally(() => holds() as boolean | null);
  }

  /** Reads one column's cell of the row at hand. */
  cellOf(column: string): (cells: readonly Cell[]) => Cell {
    const place = this.placeOf(column);
    return (cells) => cells[place]!;
  }

  column(): never {
    throw new Error('a column stands outside of a function: the pipeline file should have been refused');
  }

  call(name: FunctionName, column: string | null): () => Value {
    if (column === null) return () => Rational.of(BigInt(this.rows));
    const accumulator = this.accumulator(name, column);
    return () => accumulator.value(this.rows);
  }

  /** The accumulator itself: it knows whether its value is exact. */
  accumulator(name: FunctionName, column: string): Accumulator {
    const key = `${name}(${column})`;
    const known = this.accumulators.get(key);
    if (known) return known;
    const place = this.placeOf(column);
    const accumulator = accumulatorFor(name, this.columns[place]!);
    this.accumulators.set(key, accumulator);
    this.fed.push([place, accumulator]);
    return accumulator;
  }

  private rowLeaves(): Leaves {
    return {
      runDay: this.runDay,
      column: (name) => {
        const place = this.placeOf(name);
        const read = cellReader(this.columns[place]!);
        return () => read(this.cells[place]!);
      },
      call: () => {
        throw new Error('a function stands in a row expression: the pipeline file should have been refused');
      },
    };
  }

  private placeOf(name: string): number {
    const place = this.columns.findIndex((column) => column.name === name);
    if (place === -1) throw new Error(`no column "${name}": the pipeline file should have been refused`);
    return place;
  }

  private passes(filter: () => Value): boolean {
    try {
      return filter() === true;
    } catch (error) {
      this.failure ??= reasonOf(error);
      return false;
    }
  }

  private count(test: RowTest, tally: Tally): void {
    try {
      const result = test(this.cells);
      if (result === null) tally.unknown++;
      else if (result) tally.yes++;
      else tally.no++;
    } catch (error) {
      tally.failure ??= reasonOf(error);
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof DivisionByZero)) throw error;
  return error.message;
}
