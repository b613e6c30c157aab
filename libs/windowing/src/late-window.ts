// What a row was too late for.

/** A closed window that a row would have fallen into. */
export interface LateWindow {
  readonly view: string;
  /** Epoch ms. Of a session: the one that the row alone would make. */
  readonly window: { readonly type: 'tumbling' | 'hopping' | 'session'; readonly start: number; readonly end: number };
  /** Watermark - window end: how far the watermark was past the window's end when the row came; 0 or more. */
  readonly lateByMs: number;
}
