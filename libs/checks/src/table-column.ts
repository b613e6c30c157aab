// A column of what is checked (a file's rows, or a view's features), and how its cells become values of expressions.
import { isoMs } from './iso-ms.js';
import { dayInZone, type Cell, type ColumnType } from '#contracts';
import { Rational } from './rational.js';
import { Moment, type Value } from './value.js';

export interface TableColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Timestamps: the zone in which their calendar days are told. */
  readonly timeZone: string;
}

export function cellReader({ type, timeZone }: TableColumn): (cell: Cell) => Value {
  switch (type) {
    case 'string':
      return (cell) => (cell === null ? null : String(cell));
    case 'boolean':
      return (cell) => (cell === null ? null : String(cell) === 'true');
    case 'integer':
    case 'decimal':
      return (cell) => (cell === null ? null : Rational.parse(String(cell)));
    case 'timestamp': {
      const dayOf = dayInZone(timeZone);
      return (cell) => {
        if (cell === null) return null;
        const ms = isoMs(cell as string);
        return new Moment(ms, dayOf(ms));
      };
    }
  }
}
