// Stream time and watermark: how far event time has come, and which windows are closed by it. No clock is read.
import type { WindowSpec } from '#contracts';

/** Stream time never goes back: the later of two, where null is `none yet`. */
export function laterOf(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null || a >= b ? a : b;
}

/** Stream time - grace, epoch ms; null where no window ever closes: unlimited grace, not of time, no stream time yet. */
export function watermarkMs(spec: WindowSpec, streamTimeMs: number | null): number | null {
  if (streamTimeMs === null || spec.type !== 'tumbling' || spec.graceMs === null) return null;
  return streamTimeMs - spec.graceMs;
}

/** A row whose window is closed is late; out of order alone is not. */
export function isClosed(endMs: number | null, watermarkMs: number | null): boolean {
  return endMs !== null && watermarkMs !== null && endMs <= watermarkMs;
}
