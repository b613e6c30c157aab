// `first` and `last`: the value of the row that comes first or last by event time, then upload, then row number. A
// column of any type; the value is the row's own, but a very long text is cut.
import { FIRST_LAST_VALUE_BYTES, type Cell } from '#contracts';
import { WindowingError } from '../errors.js';
import { OBJECT_BYTES, textBytes } from '../heap-bytes.js';
import type { Aggregate, RowPlace } from './aggregate.js';
import { cutJson } from './cut-json.js';

interface Placed extends RowPlace {
  readonly cell: Exclude<Cell, null>;
}

/** The object, its time as a heap number, and its upload's id. */
const PLACED_BYTES = 56 + 16 + 48;

interface Edge {
  /** Null before the first value; never changed, only replaced. */
  held: Placed | null;
}

function comparePlaces(a: RowPlace, b: RowPlace): number {
  if (a.time !== b.time) return a.time - b.time;
  if (a.upload !== b.upload) return a.upload < b.upload ? -1 : 1;
  return a.row - b.row;
}

/** `sign` 1 keeps the last value, -1 the first. */
function edge(sign: 1 | -1): Aggregate<Edge> {
  const wins = (place: RowPlace, held: Placed | null) => held === null || comparePlaces(place, held) * sign > 0;
  return {
    empty: () => ({ held: null }),
    clone: ({ held }) => ({ held }),
    add(edge, cell, place) {
      if (cell === null || cell === '' || !wins(place, edge.held)) return;
      const { time, upload, row } = place;
      edge.held = { cell: typeof cell === 'string' ? cutJson(cell, FIRST_LAST_VALUE_BYTES) : cell, time, upload, row };
    },
    merge(into, { held }) {
      if (held !== null && wins(held, into.held)) into.held = held;
    },
    bytes: ({ held }) => OBJECT_BYTES + (held === null ? 0 : PLACED_BYTES + textBytes(held.cell)),
    result: ({ held }) => held?.cell ?? null,
    encode: ({ held }) => held && [held.cell, held.time, held.upload, held.row],
    decode: (value) => ({ held: value === null ? null : decodePlaced(value) }),
  };
}

function decodePlaced(value: unknown): Placed {
  const [cell, time, upload, row] = Array.isArray(value) ? (value as unknown[]) : [];
  const isCell = typeof cell === 'string' || typeof cell === 'boolean' || Number.isFinite(cell);
  if (!isCell || !Number.isSafeInteger(time) || typeof upload !== 'string' || !Number.isSafeInteger(row)) {
    throw new WindowingError('bad_changelog', 'no value with its place in a changelog record');
  }
  return { cell: cell as Placed['cell'], time: time as number, upload, row: row as number };
}

export const first = edge(-1);
export const last = edge(1);
