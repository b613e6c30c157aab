// A window's identity: what tells it apart within its view, in memory and in the changelog's keys.
import type { WindowSpec } from '#contracts';

/** Start (epoch ms) of a tumbling window, the upload's id of an upload window, {@link ALL_TIME}. */
export type WindowId = number | string;

export const ALL_TIME = '';

/** Epoch ms; null for windows that are not of time. */
export function windowStartMs(spec: WindowSpec, id: WindowId): number | null {
  return spec.type === 'tumbling' ? (id as number) : null;
}

/** Exclusive end, epoch ms; null for windows that are not of time. */
export function windowEndMs(spec: WindowSpec, id: WindowId): number | null {
  return spec.type === 'tumbling' ? (id as number) + spec.sizeMs : null;
}

/** The inverse of `String(id)`; null when the text names no window of this kind. */
export function parseWindowId(spec: WindowSpec, text: string): WindowId | null {
  switch (spec.type) {
    case 'upload':
      return text === '' ? null : text;
    case 'all_time':
      return text === ALL_TIME ? ALL_TIME : null;
    case 'tumbling': {
      const startMs = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
      return Number.isSafeInteger(startMs) && startMs % spec.sizeMs === 0 ? startMs + 0 : null;
    }
    case 'hopping':
    case 'session':
      throw new TypeError(`no ${spec.type} windows in this version`);
  }
}
