// The row as it travels in `rows`: a flat JSON object of the declared columns plus `_upload`, `_row`, `_time`.
import type { Pipeline } from './pipeline.js';

/**
 * A typed value in its JSON form: string, decimal and timestamp (ISO UTC with ms) are strings, integers are
 * numbers up to 2^53-1 and strings beyond, booleans are booleans, an empty value is null.
 */
export type Cell = string | number | boolean | null;

export interface Row {
  readonly upload: string;
  /** 1-based record number in its file, rejected records counted. */
  readonly row: number;
  /** Event time, epoch ms. */
  readonly time: number;
  readonly cells: Record<string, Cell>;
}

/** A function that writes rows of this pipeline; `cells` are in the order of `pipeline.columns`. */
export function rowEncoder(
  pipeline: Pipeline,
): (cells: readonly Cell[], upload: string, row: number, time: number) => string {
  const names = pipeline.columns.map((column) => `${JSON.stringify(column.name)}:`);
  // Only a string's text may need escapes: what numbers and times are written with never does.
  const isFree = pipeline.columns.map(({ type }) => type === 'string');
  return (cells, upload, row, time) => {
    let json = '{';
    for (let i = 0; i < names.length; i++) {
      const cell = cells[i]!;
      const text = typeof cell !== 'string' ? String(cell) : isFree[i]! ? JSON.stringify(cell) : `"${cell}"`;
      json += names[i]! + text + ',';
    }
    return `${json}"_upload":"${upload}","_row":${row},"_time":${time}}`;
  };
}

export function decodeRow(value: Buffer): Row {
  const cells = JSON.parse(value.toString()) as Record<string, Cell>;
  return { upload: cells._upload as string, row: cells._row as number, time: cells._time as number, cells };
}

/** The text of a group value: what stands in keys. Group columns are required, so null does not occur. */
export function cellText(cell: Cell): string {
  return typeof cell === 'string' ? cell : String(cell);
}
