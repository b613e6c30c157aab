// Local days of one time zone: when each begins. A day has 23, 24 or 25 hours, begins later where its midnight falls
// into a gap (America/Sao_Paulo until 2018), and is empty where a zone crossed the date line (Pacific/Apia, 2011-12-30).
import { IANAZone } from 'luxon';

const DAY_MS = 86_400_000;
// Looking a day up takes microseconds, a row less: days are kept, within a bound (files of ten thousand years exist).
const DAYS_KEPT = 100_000;

export class LocalDays {
  private readonly zone: IANAZone;
  private readonly starts = new Map<number, number>();
  /** The day of the row before: rows of one file mostly stay in it. */
  private last = { day: 0, fromMs: 0, toMs: 0 };

  /** `zone`: an IANA name that the pipeline file's rules have let pass. */
  constructor(zone: string) {
    this.zone = IANAZone.create(zone);
  }

  /** Days from 1970-01-01 to the local day that `timeMs` (epoch ms) lies in. */
  dayOf(timeMs: number): number {
    const { last } = this;
    if (timeMs >= last.fromMs && timeMs < last.toMs) return last.day;
    // No zone is a day away from UTC: the first guess is at most one day off.
    let day = Math.floor(timeMs / DAY_MS);
    while (this.startMs(day) > timeMs) day--;
    while (this.startMs(day + 1) <= timeMs) day++;
    this.last = { day, fromMs: this.startMs(day), toMs: this.startMs(day + 1) };
    return day;
  }

  /** Epoch ms of a day's first instant: local midnight, the earlier of two, the first instant after it in a gap. */
  startMs(day: number): number {
    const known = this.starts.get(day);
    if (known !== undefined) return known;
    const startMs = this.findStart(day * DAY_MS);
    if (this.starts.size >= DAYS_KEPT) this.starts.clear();
    this.starts.set(day, startMs);
    return startMs;
  }

  /** `midnightMs`: that midnight, were the zone UTC. */
  private findStart(midnightMs: number): number {
    const [before, after] = [midnightMs - DAY_MS, midnightMs + DAY_MS];
    const [offset, nextOffset] = [this.offsetMs(before), this.offsetMs(after)];
    if (offset === nextOffset) return midnightMs - offset;
    const changeMs = this.changeBetween(before, after, offset);
    const byOldOffset = midnightMs - offset;
    return byOldOffset < changeMs ? byOldOffset : Math.max(changeMs, midnightMs - nextOffset);
  }

  /** The first instant whose offset is no more `offset`, between one that has it and one that has not. */
  private changeBetween(fromMs: number, toMs: number, offset: number): number {
    let [has, hasNot] = [fromMs, toMs];
    while (hasNot - has > 1) {
      const middle = Math.floor((has + hasNot) / 2);
      if (this.offsetMs(middle) === offset) has = middle;
      else hasNot = middle;
    }
    return hasNot;
  }

  private offsetMs(timeMs: number): number {
    return Math.round(this.zone.offset(timeMs) * 60_000);
  }
}
