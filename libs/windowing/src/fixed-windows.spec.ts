// Which windows a time falls into, against the definition: start <= time < end, aligned, in local days where a zone is set.
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { fixedWindows, type FixedWindows } from './fixed-windows.js';

const DAY_MS = 86_400_000;
const shared = { graceMs: null, emit: 'updates' } as const;
const tumbling = (sizeMs: number, timeZone: string | null = null) =>
  fixedWindows({ type: 'tumbling', sizeMs, timeZone, ...shared })!;
const hopping = (sizeMs: number, advanceMs: number, timeZone: string | null = null) =>
  fixedWindows({ type: 'hopping', sizeMs, advanceMs, timeZone, ...shared })!;
const windowsAt = (windows: FixedWindows, timeMs: number) => windows.windowsOf(windows.slotOf(timeMs));
const spans = (windows: FixedWindows, timeMs: number) =>
  windowsAt(windows, timeMs).map((startMs) => [startMs, windows.endMs(startMs)]);
const local = (text: string, zone: string) => DateTime.fromISO(text, { zone }).toMillis();

describe('fixedWindows', () => {
  it('has none for other kinds', () => {
    expect(fixedWindows({ type: 'upload' })).toBeNull();
    expect(fixedWindows({ type: 'session', gapMs: 1_000, ...shared })).toBeNull();
  });

  it.each([
    [0, 0],
    [999, 0],
    [1000, 1000],
    [-1, -1000],
    [-1000, -1000],
    [-1001, -2000],
  ])('puts %i into the half-open window that begins at %i', (timeMs, startMs) => {
    expect(spans(tumbling(1000), timeMs)).toEqual([[startMs, startMs + 1000]]);
  });

  it('puts a row into every hopping window that covers it, also where size is no multiple of advance', () => {
    expect(spans(hopping(3000, 1000), 2500)).toEqual([
      [0, 3000],
      [1000, 4000],
      [2000, 5000],
    ]);
    expect(windowsAt(hopping(2500, 1000), 2400)).toEqual([0, 1000, 2000]);
    expect(windowsAt(hopping(2500, 1000), 2500)).toEqual([1000, 2000]);
    expect(windowsAt(hopping(2500, 1000), -1)).toEqual([-2000, -1000]);
    expect([hopping(2500, 1000).perRow, tumbling(1000).perRow]).toEqual([3, 1]);
  });

  it('holds for every time, size and advance', () => {
    const time = fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 });
    const size = fc.integer({ min: 1_000, max: 31_536_000_000 });
    fc.assert(
      fc.property(time, size, fc.integer({ min: 1, max: 50 }), (timeMs, sizeMs, parts) => {
        const advanceMs = Math.ceil(sizeMs / parts);
        const windows = hopping(sizeMs, advanceMs);
        const starts = windowsAt(windows, timeMs);
        for (const start of starts) {
          expect(start % advanceMs === 0 && start <= timeMs && timeMs < windows.endMs(start)).toBe(true);
          expect(windows.isStart(start)).toBe(true);
        }
        // Neither a window before the first nor one behind the last covers it.
        expect(starts[0]! - advanceMs + sizeMs <= timeMs && starts.at(-1)! + advanceMs > timeMs).toBe(true);
        expect(starts.length <= windows.perRow).toBe(true);
      }),
    );
  });

  it.each([Number.NaN, 0.5, undefined])('refuses the time %p', (time) => {
    for (const windows of [tumbling(1000), tumbling(DAY_MS, 'UTC')]) {
      expect(() => windows.slotOf(time as number)).toThrow(expect.objectContaining({ code: 'bad_row' }));
    }
  });
});

describe('windows of local days', () => {
  const zone = 'America/Sao_Paulo';

  it('begin and end at local midnight', () => {
    const windows = tumbling(DAY_MS, zone);
    const start = local('2024-05-10T00:00', zone);
    expect(start).toBe(Date.UTC(2024, 4, 10, 3));
    expect(spans(windows, start)).toEqual([[start, start + DAY_MS]]);
    expect(spans(windows, start - 1)).toEqual([[start - DAY_MS, start]]);
  });

  it('begin with the first instant after a gap: 4 November 2018 has no midnight in São Paulo and 23 hours', () => {
    const start = Date.UTC(2018, 10, 4, 3); // 01:00 at UTC-2, which follows 23:59:59 at UTC-3
    expect(spans(tumbling(DAY_MS, zone), start)).toEqual([[start, Date.UTC(2018, 10, 5, 2)]]);
    expect(spans(tumbling(DAY_MS, zone), start - 1)).toEqual([[Date.UTC(2018, 10, 3, 3), start]]);
  });

  it('have 25 hours where the clock goes back: 17 February 2018 in São Paulo', () => {
    const start = Date.UTC(2018, 1, 17, 2);
    expect(spans(tumbling(DAY_MS, zone), start)).toEqual([[start, Date.UTC(2018, 1, 18, 3)]]);
  });

  it('begin with the earlier of two midnights: Havana on 3 November 2024, St. John’s on 1 November 2009', () => {
    expect(windowsAt(tumbling(DAY_MS, 'America/Havana'), Date.UTC(2024, 10, 3, 12))).toEqual([
      Date.UTC(2024, 10, 3, 4),
    ]);
    // 00:01 went back to 23:01: the day had begun, and the hour that came again is part of it.
    const start = Date.UTC(2009, 10, 1, 2, 30);
    expect(windowsAt(tumbling(DAY_MS, 'America/St_Johns'), start + 30 * 60_000)).toEqual([start]);
  });

  it('know days that a zone has skipped: Apia had no 30 December 2011', () => {
    const start = Date.UTC(2011, 11, 30, 10); // 29 December ends at UTC-10, 31 December begins at UTC+14
    const windows = hopping(2 * DAY_MS, DAY_MS, 'Pacific/Apia');
    expect(spans(windows, start)).toEqual([[start, start + 2 * DAY_MS]]);
    expect(spans(windows, start - 1).at(-1)).toEqual([start - DAY_MS, start]);
  });

  it('count days from 1970-01-01, several to a window', () => {
    const windows = tumbling(7 * DAY_MS, zone);
    // 2024-05-09 is day 19,852 = 7 x 2,836: a Thursday, as 1970-01-01 was.
    const start = local('2024-05-09T00:00', zone);
    expect(spans(windows, local('2024-05-12T23:59', zone))).toEqual([[start, local('2024-05-16T00:00', zone)]]);
    expect([
      windows.isStart(start),
      windows.isStart(local('2024-05-10T00:00', zone)),
      windows.isStart(start + 1),
    ]).toEqual([true, false, false]);
  });

  it('agree with luxon about every day of many zones', () => {
    const zones = fc.constantFrom(
      zone,
      'UTC',
      'Europe/Lisbon',
      'Asia/Kathmandu',
      'America/Asuncion',
      'Asia/Beirut',
      'Africa/Cairo',
    );
    fc.assert(
      fc.property(zones, fc.integer({ min: Date.UTC(1971, 0, 1), max: Date.UTC(2040, 0, 1) }), (zone, timeMs) => {
        const [[start, end]] = spans(tumbling(DAY_MS, zone), timeMs) as [[number, number]];
        const day = DateTime.fromMillis(timeMs, { zone });
        expect(DateTime.fromMillis(start, { zone }).toISODate()).toBe(day.toISODate());
        expect(DateTime.fromMillis(start - 1, { zone }).toISODate()).toBe(day.minus({ days: 1 }).toISODate());
        expect(DateTime.fromMillis(end, { zone }).toISODate()).toBe(day.plus({ days: 1 }).toISODate());
        expect(start <= timeMs && timeMs < end).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
