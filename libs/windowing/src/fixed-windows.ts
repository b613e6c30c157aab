// Tumbling and hopping windows: their bounds follow from the time alone. Half-open, aligned to the epoch, before 1970 as
// after; with a time zone they are whole local days, counted from 1970-01-01. Tumbling is hopping by its own size.
import type { TimeWindowSpec } from '#contracts';
import { WindowingError } from './errors.js';
import { LocalDays } from './local-days.js';

/** A slot is a stretch of time that lies in the same windows from end to end. Windows are named by their start, epoch ms. */
export interface FixedWindows {
  /** The most windows that a row falls into. */
  readonly perRow: number;
  /** Names the slot of a time, epoch ms. Throws WindowingError `bad_row` when it is no time. */
  slotOf(timeMs: number): number;
  /** The starts of a slot's windows, ascending. */
  windowsOf(slot: number): number[];
  /** The exclusive end of the window that begins at `startMs`. */
  endMs(startMs: number): number;
  /** Whether a window begins at this time. */
  isStart(timeMs: number): boolean;
}

const DAY_MS = 86_400_000;

/** Null for windows that are not of time, and for sessions. */
export function fixedWindows(spec: TimeWindowSpec | { type: 'upload' | 'all_time' }): FixedWindows | null {
  if (spec.type !== 'tumbling' && spec.type !== 'hopping') return null;
  const { sizeMs, timeZone } = spec;
  const advanceMs = spec.type === 'hopping' ? spec.advanceMs : sizeMs;
  return timeZone === null
    ? new EpochWindows(sizeMs, advanceMs)
    : new LocalDayWindows(sizeMs / DAY_MS, advanceMs / DAY_MS, timeZone);
}

class EpochWindows implements FixedWindows {
  readonly perRow: number;
  private readonly slotMs: number;

  constructor(
    private readonly sizeMs: number,
    private readonly advanceMs: number,
  ) {
    this.perRow = Math.ceil(sizeMs / advanceMs);
    this.slotMs = greatestCommonDivisor(sizeMs, advanceMs);
  }

  slotOf(timeMs: number): number {
    assertTime(timeMs);
    return floorTo(timeMs, this.slotMs);
  }

  windowsOf(slot: number): number[] {
    const starts: number[] = [];
    for (let at = floorTo(slot, this.advanceMs); at > slot - this.sizeMs; at -= this.advanceMs) starts.push(at);
    return starts.reverse();
  }

  endMs(startMs: number): number {
    return startMs + this.sizeMs;
  }

  isStart(timeMs: number): boolean {
    return timeMs % this.advanceMs === 0;
  }
}

/** Slots are local days. */
class LocalDayWindows implements FixedWindows {
  readonly perRow: number;
  private readonly days: LocalDays;

  constructor(
    private readonly sizeDays: number,
    private readonly advanceDays: number,
    timeZone: string,
  ) {
    this.perRow = Math.ceil(sizeDays / advanceDays);
    this.days = new LocalDays(timeZone);
  }

  slotOf(timeMs: number): number {
    assertTime(timeMs);
    return this.days.dayOf(timeMs);
  }

  windowsOf(slot: number): number[] {
    const starts: number[] = [];
    for (let day = floorTo(slot, this.advanceDays); day > slot - this.sizeDays; day -= this.advanceDays) {
      const startMs = this.days.startMs(day);
      // A day that the zone skipped begins with the next one: of two windows with one start, the later day's stands.
      if (starts.at(-1) !== startMs) starts.push(startMs);
    }
    return starts.reverse();
  }

  endMs(startMs: number): number {
    return this.days.startMs(this.startDay(startMs) + this.sizeDays);
  }

  isStart(timeMs: number): boolean {
    return this.days.startMs(this.startDay(timeMs)) === timeMs;
  }

  /** The latest day that a window may begin with and that begins at or before this time. */
  private startDay(timeMs: number): number {
    return floorTo(this.days.dayOf(timeMs), this.advanceDays);
  }
}

function assertTime(timeMs: number): void {
  if (Number.isSafeInteger(timeMs)) return;
  throw new WindowingError('bad_row', `_time ${timeMs} is no epoch time in ms: let only ingest write the rows topic`);
}

/** The largest multiple of `step` that is not above `value`. */
function floorTo(value: number, step: number): number {
  const rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
