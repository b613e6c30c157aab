// Calendar days as whole numbers (days since 1970-01-01): what `run_date` and the dates of checks are.

const DAY_MS = 86_400_000;

/** The day that `YYYY-MM-DD` names; null for another text or a day that does not exist. */
export function dateDay(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const ms = Date.parse(`${text}T00:00:00Z`);
  // Date.parse rolls 2023-02-30 over into March: only what reads back is a day.
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text ? null : ms / DAY_MS;
}

/** `YYYY-MM-DD` of a day. */
export function dateText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

const QUARTER_MS = 900_000;
const KEPT = 10_000;

/** A function that tells the calendar day of an epoch ms in the IANA zone. */
export function dayInZone(timeZone: string): (ms: number) => number {
  if (timeZone === 'UTC') return (ms) => Math.floor(ms / DAY_MS);
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  // Offsets change on quarters of an hour at the finest: the day is looked up once for each, within a bound.
  const known = new Map<number, number>();
  return (ms) => {
    const quarter = Math.floor(ms / QUARTER_MS);
    let day = known.get(quarter);
    if (day === undefined) {
      day = dateDay(parts.format(quarter * QUARTER_MS)) ?? Math.floor(ms / DAY_MS);
      if (known.size >= KEPT) known.clear();
      known.set(quarter, day);
    }
    return day;
  };
}
