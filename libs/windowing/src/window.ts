// A window's identity: what tells it apart within its view, in memory and in the changelog's keys.
import type { WindowSpec } from '#contracts';
import type { FixedWindows } from './fixed-windows.js';

/** Start (epoch ms) of a window of time, the upload's id of an upload window, {@link ALL_TIME}. */
export type WindowId = number | string;

export const ALL_TIME = '';

/** Epoch ms; null for windows that are not of time. */
export function windowStartMs(id: WindowId): number | null {
  return typeof id === 'number' ? id : null;
}

/** The inverse of `String(id)`; null when the text names no window of this kind. `fixed`: those of the spec. */
export function parseWindowId(type: WindowSpec['type'], fixed: FixedWindows | null, text: string): WindowId | null {
  switch (type) {
    case 'upload':
      return text === '' ? null : text;
    case 'all_time':
      return text === ALL_TIME ? ALL_TIME : null;
    default: {
      const startMs = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
      if (!Number.isSafeInteger(startMs)) return null;
      return fixed === null || fixed.isStart(startMs) ? startMs + 0 : null;
    }
  }
}
