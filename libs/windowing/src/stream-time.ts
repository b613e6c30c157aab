// Stream time and watermark: how far event time has come, and which windows are closed by it. No clock is read.
import { isTimeWindow, type WindowSpec } from '#contracts';

/** Stream time never goes back: the later of two, where null is `none yet`. */
export function laterOf(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null || a >= b ? a : b;
}

/** Stream time - grace, epoch ms; null where no window ever closes: unlimited grace, not of time, no stream time yet. */
export function watermarkMs(spec: WindowSpec, streamTimeMs: number | null): number | null {
  if (streamTimeMs === null || !isTimeWindow(spec) || spec.graceMs === null) return null;
  return streamTimeMs - spec.graceMs;
}
