// Records of `late`: a row whose window was closed when its turn came, one record per closed window. The key is the row's.
import type { Row } from './row.js';

export interface LateRowWindow {
  readonly view: string;
  /** Epoch ms. Of a session: the one that the row alone would make, or when that is open the closed one that it falls into. */
  readonly window: { readonly type: 'tumbling' | 'hopping' | 'session'; readonly start: number; readonly end: number };
  /** Watermark - window end: how far the watermark was past the window's end when the row came; 0 or more. */
  readonly lateByMs: number;
}

/** The row with `view`, `window`, `late_by_ms`; a column of one of these names gives way to it. */
export function encodeLateRow(row: Row, { view, window, lateByMs }: LateRowWindow): string {
  return JSON.stringify({ ...row.cells, view, window, late_by_ms: lateByMs });
}

export interface LateCounts {
  /** Rows late in at least one view. */
  late: number;
  /** Rows late, by view; views without any are left out. */
  late_by_view: Record<string, number>;
}

/** Counts one row. `windows`: all that were closed to it, in the order of their views; at least one. */
export function countLate(counts: LateCounts, windows: readonly LateRowWindow[]): void {
  counts.late++;
  let previous = '';
  for (const { view } of windows) {
    // A row counts once a view, though several hopping windows may be closed to it.
    if (view !== previous) counts.late_by_view[view] = (counts.late_by_view[view] ?? 0) + 1;
    previous = view;
  }
}
