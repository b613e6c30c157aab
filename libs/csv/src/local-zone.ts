// The clock of an IANA zone, for timestamps that state no zone of their own.
import { IANAZone } from 'luxon';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const DAYS_KEPT = 20_000;

/** Local times are ms as they would be in UTC: 1970-01-01T00:00 on the zone's clock is 0. NaN for NaN. */
export class LocalZone {
  readonly #zone: IANAZone;
  /** Per local day the one offset that holds all through it; null on days near a change. */
  readonly #offsets = new Map<number, number | null>();

  constructor(name: string) {
    this.#zone = IANAZone.create(name);
  }

  /** Epoch ms at which the zone's clock shows `localMs`: the earlier where it does twice, NaN where it never does. */
  instantMs(localMs: number): number {
    if (Number.isNaN(localMs)) return NaN;
    const dayMs = Math.floor(localMs / DAY_MS) * DAY_MS;
    const constant = this.#offsetOfDay(dayMs);
    if (constant !== null) return localMs - constant;
    const instants = [this.#offsetMs(localMs - DAY_MS), this.#offsetMs(localMs + DAY_MS)]
      .filter((offset) => this.#offsetMs(localMs - offset) === offset)
      .map((offset) => localMs - offset);
    return instants.length === 0 ? NaN : Math.min(...instants);
  }

  /** Epoch ms of the first moment of a local day, which is later than midnight where the clock skips midnight. */
  startOfDayMs(dayMs: number): number {
    const midnightMs = this.instantMs(dayMs);
    if (!Number.isNaN(midnightMs) || Number.isNaN(dayMs)) return midnightMs;
    // Midnight is skipped: the day begins with the change itself, unless all of it is skipped.
    let before = dayMs - DAY_MS;
    let after = dayMs + DAY_MS;
    const offsetBefore = this.#offsetMs(before);
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.#offsetMs(middle) === offsetBefore) before = middle;
      else after = middle;
    }
    return Math.floor((after + this.#offsetMs(after)) / DAY_MS) * DAY_MS === dayMs ? after : NaN;
  }

  #offsetOfDay(dayMs: number): number | null {
    let offset = this.#offsets.get(dayMs);
    if (offset === undefined) {
      const around = new Set([-1, 0, 1, 2].map((days) => this.#offsetMs(dayMs + days * DAY_MS)));
      offset = around.size === 1 ? [...around][0]! : null;
      if (this.#offsets.size >= DAYS_KEPT) this.#offsets.clear();
      this.#offsets.set(dayMs, offset);
    }
    return offset;
  }

  #offsetMs(instantMs: number): number {
    return Math.round(this.#zone.offset(instantMs) * MINUTE_MS);
  }
}
