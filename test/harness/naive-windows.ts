// What windows must come to, computed the plain way: keep every row, and at each control record look at all of them again.
// No window code of Caudal's. For the property tests of test/windows.
import { DateTime } from 'luxon';
import type { TimeWindowSpec } from '#contracts';

export interface NaiveRow {
  upload: string;
  row: number;
  group: string;
  timeMs: number;
  amount: number;
}

export interface NaiveView {
  name: string;
  window: TimeWindowSpec;
}

/** Rows between two control records, and the stream time that the second one states (null: there was no row yet). */
export interface NaiveEpoch {
  rows: readonly NaiveRow[];
  streamTimeMs: number | null;
}

export interface NaiveResult {
  /** `view group start` -> what the last record for it says; retracted ones are not there. */
  features: Map<string, string>;
  /** A text per closed window that a row would have fallen into, sorted. */
  late: string[];
}

interface Placed {
  row: NaiveRow;
  /** Stream time when it came. */
  streamTimeMs: number | null;
}

interface Span {
  start: number;
  end: number;
}

export function naiveWindows(views: readonly NaiveView[], epochs: readonly NaiveEpoch[]): NaiveResult {
  const result: NaiveResult = { features: new Map(), late: [] };
  for (const view of views) {
    const kept = new Map<string, Placed[]>();
    const final = new Set<string>();
    const closedSpans = new Map<string, Span[]>();
    let streamTimeMs: number | null = null;
    for (const { rows, streamTimeMs: stated } of epochs) {
      const watermark: number | null = watermarkOf(view.window, streamTimeMs);
      const before = new Map([...kept].map(([group, placed]) => [group, spansOf(view.window, placed)]));
      const placedBefore = new Map(kept);
      for (const row of rows) {
        const closed = closedTo(row, view.window, watermark, {
          open: before.get(row.group) ?? [],
          placed: placedBefore.get(row.group) ?? [],
          closed: closedSpans.get(row.group) ?? [],
        });
        for (const { start, end } of closed) {
          result.late.push(`${row.upload}/${row.row} ${view.name} ${start}-${end} ${watermark! - end}`);
        }
        if (view.window.type === 'session' && closed.length > 0) continue;
        kept.set(row.group, [...(kept.get(row.group) ?? []), { row, streamTimeMs }]);
      }
      streamTimeMs = stated === null ? streamTimeMs : Math.max(streamTimeMs ?? stated, stated);
      emit(view, kept, { streamTimeMs, final, closedSpans }, result.features);
    }
  }
  result.late.sort();
  return result;
}

/** Writes every window that has a row and had not closed before; forgets the rows of sessions that close. */
function emit(
  view: NaiveView,
  kept: Map<string, Placed[]>,
  at: { streamTimeMs: number | null; final: Set<string>; closedSpans: Map<string, Span[]> },
  features: Map<string, string>,
): void {
  const watermark = watermarkOf(view.window, at.streamTimeMs);
  for (const key of features.keys()) {
    if (key.startsWith(`${view.name} `) && !at.final.has(key)) features.delete(key);
  }
  for (const [group, placed] of kept) {
    for (const span of spansOf(view.window, placed)) {
      const key = `${view.name} ${group} ${span.start}`;
      if (at.final.has(key)) continue;
      const inside = placed.filter((one) => covers(span, one.row.timeMs) && !cameTooLate(view.window, span, one));
      if (inside.length === 0) continue;
      const closes = watermark !== null && span.end <= watermark;
      if (closes) at.final.add(key);
      if (!closes && view.window.emit === 'final') continue;
      const last = inside.at(-1)!;
      const sum = inside.reduce((total, one) => total + one.row.amount, 0);
      const streamTime = closes ? at.streamTimeMs : last.streamTimeMs;
      features.set(key, JSON.stringify([span.end, inside.length, sum, closes, last.row.upload, streamTime]));
    }
    if (view.window.type !== 'session' || watermark === null) continue;
    const closed = spansOf(view.window, placed).filter(({ end }) => end <= watermark);
    const open = placed.filter(({ row }) => !closed.some((span) => covers(span, row.timeMs)));
    kept.set(group, open);
    at.closedSpans.set(group, [...(at.closedSpans.get(group) ?? []), ...closed]);
  }
}

/** Of windows that overlap a row may be in some and late for others. */
function cameTooLate(window: TimeWindowSpec, span: Span, { streamTimeMs }: Placed): boolean {
  const watermark = watermarkOf(window, streamTimeMs);
  return window.type !== 'session' && watermark !== null && span.end <= watermark;
}

function watermarkOf({ graceMs }: TimeWindowSpec, streamTimeMs: number | null): number | null {
  return streamTimeMs === null || graceMs === null ? null : streamTimeMs - graceMs;
}

const covers = ({ start, end }: Span, timeMs: number): boolean => start <= timeMs && timeMs < end;

/** `sessions`: those of the row's group, the open ones as the epoch found them. */
function closedTo(
  row: NaiveRow,
  window: TimeWindowSpec,
  watermark: number | null,
  sessions: { open: readonly Span[]; placed: readonly Placed[]; closed: readonly Span[] },
): Span[] {
  if (watermark === null) return [];
  if (window.type !== 'session') return windowsAt(window, row.timeMs).filter(({ end }) => end <= watermark);
  const own = { start: row.timeMs, end: row.timeMs + window.gapMs };
  const overlaps = ({ start, end }: Span) => start < own.end && own.start < end;
  const closed = sessions.closed.filter(overlaps).sort((a, b) => a.start - b.start);
  if (own.end > watermark) return closed.slice(0, 1);
  const joins = sessions.open.some(
    (span) => overlaps(span) && row.timeMs >= sinceOf(window, span, sessions.placed) - 2 * window.gapMs,
  );
  return closed.length > 0 || !joins ? [own] : [];
}

/** The earliest watermark at which a row of this open session, or of one behind it, came. */
function sinceOf(window: TimeWindowSpec, { start }: Span, placed: readonly Placed[]): number {
  const rows = placed.filter(({ row }) => row.timeMs >= start);
  return Math.min(...rows.map(({ streamTimeMs }) => watermarkOf(window, streamTimeMs) ?? Number.NEGATIVE_INFINITY));
}

/** All windows that hold one of these rows. */
function spansOf(window: TimeWindowSpec, placed: readonly Placed[]): Span[] {
  const times = placed.map(({ row }) => row.timeMs).sort((a, b) => a - b);
  if (window.type !== 'session') {
    const all = times.flatMap((time) => windowsAt(window, time));
    return [...new Map(all.map((span) => [span.start, span])).values()];
  }
  const spans: Span[] = [];
  for (const time of times) {
    const last = spans.at(-1);
    if (last !== undefined && time < last.end) last.end = time + window.gapMs;
    else spans.push({ start: time, end: time + window.gapMs });
  }
  return spans;
}

/** Goes through every window that begins within two sizes of the time. */
function windowsAt(window: Exclude<TimeWindowSpec, { type: 'session' }>, timeMs: number): Span[] {
  const { sizeMs, timeZone } = window;
  const advanceMs = window.type === 'hopping' ? window.advanceMs : sizeMs;
  const bound = (ms: number) => (timeZone === null ? ms : localMidnight(ms, timeZone));
  const spans: Span[] = [];
  const first = Math.floor(timeMs / advanceMs) - 2 * Math.ceil(sizeMs / advanceMs);
  for (let n = first; n * advanceMs <= timeMs + 2 * sizeMs; n++) {
    spans.push({ start: bound(n * advanceMs), end: bound(n * advanceMs + sizeMs) });
  }
  return spans.filter((span) => covers(span, timeMs));
}

const midnights = new Map<string, number>();

/** Local midnight of the day that begins at `utcMs` in UTC. */
function localMidnight(utcMs: number, zone: string): number {
  const name = `${zone} ${utcMs}`;
  const known = midnights.get(name) ?? lookUpMidnight(utcMs, zone);
  midnights.set(name, known);
  return known;
}

function lookUpMidnight(utcMs: number, zone: string): number {
  const { year, month, day } = DateTime.fromMillis(utcMs, { zone: 'utc' });
  return DateTime.fromObject({ year, month, day }, { zone }).toMillis();
}
