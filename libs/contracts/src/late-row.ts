// Records of `late`: a row whose window was closed when its turn came, one record per closed window. The key is the row's.
import type { Row } from './row.js';

export interface LateRowWindow {
  readonly view: string;
  /** Epoch ms. Of a session: the one that the row alone would make. */
  readonly window: { readonly type: 'tumbling' | 'hopping' | 'session'; readonly start: number; readonly end: number };
  /** Watermark - window end: how far the watermark was past the window's end when the row came; 0 or more. */
  readonly lateByMs: number;
}

/** The row with `view`, `window`, `late_by_ms`; a column of one of these names gives way to it. */
export function encodeLateRow(row: Row, { view, window, lateByMs }: LateRowWindow): string {
  return JSON.stringify({ ...row.cells, view, window, late_by_ms: lateByMs });
}
