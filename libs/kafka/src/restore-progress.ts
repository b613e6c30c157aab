// How far a task's restore has come, and how fast: what health, logs and metrics say of a partition that is not ready yet.
import type { ReadProgress } from './read-partition.js';

/** A restore under way, or behind: `seconds` since it began. */
export interface Restoring {
  /** Of the offsets to be read, 0 to 100. */
  percent: number;
  records: number;
  seconds: number;
}

const TELL_EVERY_MS = 5_000;

/** One restore, from its creation on. Nothing but what people read comes from this clock. */
export class RestoreProgress {
  readonly #startedAtMs = performance.now();
  #toldAtMs = this.#startedAtMs;
  #last: ReadProgress | null = null;

  note(progress: ReadProgress): void {
    this.#last = progress;
  }

  /** Null before anything was read. */
  now(): Restoring | null {
    if (this.#last === null) return null;
    const { start, next, end, records } = this.#last;
    const percent = end > start ? Number(((next - start) * 100n) / (end - start)) : 100;
    return { percent: Math.min(percent, 100), records, seconds: (performance.now() - this.#startedAtMs) / 1000 };
  }

  /** The same, every 5 s at most: for the log of a long restore. */
  due(): Restoring | null {
    const nowMs = performance.now();
    if (nowMs - this.#toldAtMs < TELL_EVERY_MS) return null;
    this.#toldAtMs = nowMs;
    return this.now();
  }
}

/** `restoring 43 %, 400000 records/s`. */
export function restoringText({ percent, records, seconds }: Restoring): string {
  return `restoring ${percent} %, ${seconds > 0 ? Math.round(records / seconds) : 0} records/s`;
}
